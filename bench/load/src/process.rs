//! What Linux tells of a process.

use std::fs;
use std::path::Path;

/// What a process used so far, or the sum of several.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Seconds that its threads that still live were on a CPU, system calls included.
    pub(crate) cpu: f64,
    /// Ticks, which are coarse: only good for the share of `user`.
    pub(crate) user: u64,
    pub(crate) system: u64,
    pub(crate) rss_kb: u64,
    pub(crate) context_switches: u64,
}

pub(crate) fn usage(processes: &[u32]) -> Usage {
    let mut sum = Usage::default();
    for process in processes {
        let folder = Path::new("/proc").join(process.to_string());
        let stat = read(&folder.join("stat"));
        // After the name, which stands in brackets.
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
        let mut ticks = || fields.next().and_then(|ticks| ticks.parse::<u64>().ok()).unwrap_or(0);
        sum.user += ticks();
        sum.system += ticks();
        sum.rss_kb += field(&read(&folder.join("status")), "VmRSS:");
        for thread in fs::read_dir(folder.join("task")).into_iter().flatten().flatten() {
            let schedule = read(&thread.path().join("schedstat"));
            let nanos = schedule.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
            sum.cpu += nanos.unwrap_or(0.0) / 1e9;
            let status = read(&thread.path().join("status"));
            sum.context_switches += field(&status, "voluntary_ctxt_switches:")
                + field(&status, "nonvoluntary_ctxt_switches:");
        }
    }
    sum
}

/// A thread may have ended: then there is nothing to add.
fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn field(text: &str, key: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(key))
        .and_then(|value| value.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_ourselves() {
        let usage = usage(&[std::process::id()]);
        assert!(usage.rss_kb > 0 && usage.cpu > 0.0, "{usage:?}");
    }
}
