'use strict';
// The cases that need not pass, each with its reason: { "profile:NAME": "reason", "ID PREFIX": "reason" }.
// A listed case still runs. When it fails, or its profile is not offered, it is skipped; an entry that excuses nothing is stale.
class Skips {
  constructor(reasons) {
    this.entries = Object.entries(reasons).map(([key, reason]) => ({ key, reason, seen: 0, used: 0 }));
  }

  // The entries that cover a case; they now know that it ran.
  covering(id, profile) {
    const entries = this.entries.filter((e) => e.key === 'profile:' + profile || id.startsWith(e.key));
    for (const e of entries) e.seen++;
    return entries;
  }

  // whole: every case ran, so an entry that met none names none.
  stale(whole) { return this.entries.filter((e) => e.used === 0 && (whole || e.seen > 0)); }

  used() { return this.entries.filter((e) => e.used > 0); }
}
module.exports = { Skips };
