// The chat's page: a Socket.IO client, one person, one room at a time.
//
// From top to bottom: the connection, joining, what the server says, the log of messages, the
// composer, the lists, the small things around them. Works with clients 2.x to 4.x: it keeps to
// what all of them have (their managers emit the same reconnection events).
//
// `?transports=polling` (or `websocket`, or both with a comma) chooses the transports,
// `?client=/path/socket.io.js` another client library of this origin, `#name` the room.
//
// One file, because there is no build step and the server serves three files.
//
// What people write only ever becomes text nodes and attributes, never markup.

const DEFAULT_ROOMS = ['lobby', 'rust', 'games', 'random'];
const ACK_PATIENCE = 10_000;
// The server may take one heartbeat to see that our former connection is gone and that the
// nickname is free again: by default 25 s between pings and 20 s to answer.
const REJOIN_PATIENCE = 50_000;
const REJOIN_PAUSE = 1_500;
const RELOAD_PATIENCE = 3_000; // the same for the page's former self, which closed properly
const TYPING_REPEAT = 2_000; // how often we say that we are still typing
const TYPING_PAUSE = 3_000; // no key for so long: not typing any more
const TYPING_EXPIRY = 5_000; // the others' word is volatile, the end of typing may be lost
const GROUP_WITHIN = 5 * 60_000;
const CLOCK_SKEW = 30_000;
const LOG_LIMIT = 500;
const LINE_LIMIT = 100;
const TEXT_LIMIT = 2_000;
const NEAR_END = 80;
const PEOPLE = [
  '#c2410c',
  '#b91c1c',
  '#be185d',
  '#a21caf',
  '#7e22ce',
  '#5b3fd6',
  '#3f51c7',
  '#1d5fd0',
  '#0369a1',
  '#0e7490',
  '#0f766e',
  '#15803d',
  '#4d7c0f',
  '#92600a',
];

const $ = (id) => document.getElementById(id);
const params = new URLSearchParams(location.search);

/** Where we are: `{nickname, room}` once joined, and to be joined again after a reconnection. */
let here = null;
/** What the sign-in card asked for, until the server has answered. */
let wanted = null;
let members = [];
let roomCounts = {};
let connection = 'connecting';
let joining = false;
/** Until when a refusal may be that of our own former connection, after a reload. */
let patientUntil = 0;

const io = await loadClient();
const certificates = { serverCertificateHashes: await loadHashes() };
const socket = connect();
// a server that was started again may have another certificate
socket.io.on('reconnect_attempt', async () => {
  const hashes = await loadHashes();
  if (hashes.length) certificates.serverCertificateHashes = hashes;
});
window.chat = {
  socket,
  get here() {
    return here;
  },
  get connection() {
    return connection;
  },
};

// Connection ---------------------------------------------------------------------------------

function loadClient() {
  const url = new URL(params.get('client') || '/socket.io/socket.io.js', location.href);
  return new Promise((resolve, reject) => {
    // A link must not be able to bring somebody else's script into this page.
    if (url.origin !== location.origin) {
      $('sign-in-status').textContent = 'the client library must come from this server';
      reject(new Error(`client library from another origin: ${url.origin}`));
      return;
    }
    const script = document.createElement('script');
    script.src = url.href;
    script.onload = () => resolve(window.io);
    script.onerror = () => {
      $('sign-in-status').textContent = 'the client library did not load';
      reject(new Error(`client library not loaded: ${url.pathname}`));
    };
    document.head.append(script);
  });
}

// What the browser needs to know for WebTransport, if no authority signed the certificate.
async function loadHashes() {
  try {
    const all = await (await fetch('/certificates.json')).json();
    return all.map((bytes) => ({ algorithm: 'sha-256', value: new Uint8Array(bytes) }));
  } catch {
    return []; // no server, or one that has none
  }
}

function connect() {
  const options = { reconnectionDelay: 500, reconnectionDelayMax: 4_000 };
  if (certificates.serverCertificateHashes.length) {
    options.transportOptions = { webtransport: certificates };
  }
  const transports = (params.get('transports') || '').split(',').filter(Boolean);
  if (transports.length) options.transports = transports;
  return io(options);
}

socket.on('connect', () => {
  const engine = socket.io.engine;
  engine.on('upgrade', showTransport);
  if (here) rejoin();
  else {
    setConnection('connected');
    if (wanted) signIn();
  }
});

socket.on('disconnect', (reason) => {
  clearTyping();
  typingSaid = 0;
  // After these two the client does not come back by itself.
  if (reason === 'io client disconnect') setConnection('connecting');
  else if (reason === 'io server disconnect')
    setConnection('offline', 'The server closed the connection.');
  else setConnection(navigator.onLine === false ? 'offline' : 'reconnecting');
});

socket.on('connect_error', (error) => {
  // Refused by the server (4.x: not `active`) or failed, in which case the manager tries again.
  if (socket.active === false) setConnection('offline', `The server said no: ${error.message}`);
  else if (navigator.onLine !== false) setConnection('reconnecting');
});

socket.io.on('reconnect_attempt', (attempt) => {
  if (navigator.onLine !== false)
    setConnection('reconnecting', `Reconnecting… attempt ${Number(attempt) || 1}`);
});
socket.io.on('reconnect_failed', () => setConnection('offline', 'The server cannot be reached.'));

window.addEventListener('online', reconnectNow);
window.addEventListener('offline', () => {
  if (!socket.connected) setConnection('offline');
});
$('retry').addEventListener('click', reconnectNow);

/** Tries at once, instead of when the manager's back-off is over. */
function reconnectNow() {
  if (socket.connected) return;
  setConnection('reconnecting');
  socket.disconnect();
  socket.connect();
}

function setConnection(state, explanation) {
  connection = state;
  document.body.dataset.connection = state;
  const words = {
    connecting: 'connecting…',
    connected: 'connected',
    reconnecting: 'reconnecting…',
    offline: 'offline',
  };
  setText($('connection-state'), words[state]);
  setText($('sign-in-status'), words[state]);
  showTransport();

  const lost = state === 'reconnecting' || state === 'offline';
  $('banner').hidden = !lost;
  if (lost) {
    const reason = explanation || (state === 'offline' ? 'You are offline.' : 'Reconnecting…');
    setText($('banner-text'), `${reason} What you type stays here.`);
  }
}

function showTransport() {
  const engine = socket.io.engine;
  const name =
    connection === 'connected' && engine && engine.transport ? engine.transport.name : '';
  setText($('connection-transport'), name);
}

/**
 * Emits with an acknowledgement. Resolves with the server's answer, `{ok: true, value}` or `{ok:
 * false, error}`, or with `{ok: false, lost: true}` when the connection ended or the time passed
 * before there was one.
 */
function request(event, payload) {
  return new Promise((resolve) => {
    const lost = () => settle({ ok: false, lost: true, error: 'the server did not answer' });
    const timer = setTimeout(lost, ACK_PATIENCE);
    function settle(answer) {
      clearTimeout(timer);
      socket.off('disconnect', lost);
      resolve(answer || { ok: false, error: 'the server gave an empty answer' });
    }
    socket.on('disconnect', lost);
    socket.emit(event, payload, settle);
  });
}

// Joining ------------------------------------------------------------------------------------

$('sign-in-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const nickname = $('nickname').value.trim();
  const room = roomName($('room').value);
  if (!nickname) return refuseSignIn('Choose a nickname first.', 'nickname');
  if (!room) return refuseSignIn('Choose a room first.', 'room');
  $('room').value = room;
  wanted = { nickname, room };
  if (socket.connected) signIn();
  else showBusy(true); // `connect` goes on from here
});

async function signIn() {
  if (joining) return;
  joining = true;
  showBusy(true);
  const answer = await request('join', wanted);
  joining = false;
  if (answer.lost && !socket.connected) return; // `connect` tries again
  if (!answer.ok && Date.now() < patientUntil) {
    setTimeout(() => {
      if (wanted && socket.connected) signIn();
    }, REJOIN_PAUSE / 3);
    return;
  }
  showBusy(false);
  if (!answer.ok) {
    wanted = null;
    return refuseSignIn(sentence(answer.error), 'nickname');
  }
  wanted = null;
  enter(answer.value);
  showScreen('chat');
}

async function switchRoom(room) {
  $('room-error').textContent = '';
  if (joining || !here || room === here.room) return closeDrawer();
  if (connection !== 'connected') return insist();
  joining = true;
  stopTyping();
  const button = roomButton(room);
  if (button) button.setAttribute('aria-busy', 'true');
  const early = collectEarlyMessages();
  const answer = await request('join', { nickname: here.nickname, room });
  joining = false;
  if (button) button.removeAttribute('aria-busy');
  if (answer.ok) {
    enter(answer.value);
    early.stop().forEach(receive);
    $('new-room').value = '';
    closeDrawer();
    focusComposer();
  } else {
    early.stop();
    if (answer.lost)
      here.room = room; // the rejoin after the reconnection goes there
    else $('room-error').textContent = sentence(answer.error);
  }
}

/**
 * While a switch is under way a message may belong to either room; people are in one room only, so
 * the sender tells which. Those that are in the history already are not shown twice.
 */
function collectEarlyMessages() {
  const early = [];
  const collect = (message) => early.push(message);
  socket.on('message', collect);
  return {
    stop() {
      socket.off('message', collect);
      return early.filter((m) => members.includes(m.from) && !entries.some((e) => same(e, m)));
    },
  };
}

async function rejoin() {
  const started = Date.now();
  const place = here;
  const id = socket.id;
  const recovered = socket.recovered === true;
  // Gives up when the person left, or when a newer connection does the same.
  const stale = () => here !== place || !socket.connected || socket.id !== id;
  for (;;) {
    const answer = await request('join', { nickname: place.nickname, room: place.room });
    if (stale()) return;
    if (answer.ok) {
      setConnection('connected');
      // 4.6 and later: the session went on, and what was said meanwhile has come
      return enter(answer.value, recovered ? 'Recovered, nothing missed' : 'You are back');
    }
    if (Date.now() - started > REJOIN_PATIENCE) {
      here = null;
      setConnection('connected');
      showScreen('sign-in');
      return refuseSignIn(sentence(answer.error), 'nickname');
    }
    setConnection('reconnecting', 'Connected again, waiting for your place…');
    await new Promise((resolve) => setTimeout(resolve, REJOIN_PAUSE));
    if (stale()) return;
  }
}

/** We are in a room, says the server; `again`: what to say of it, if we were there before. */
function enter({ nickname, room, members: people, history }, again) {
  const back = again && here && here.room === room && entries.length > 0;
  here = { nickname, room };
  remember();
  setMembers(people);
  clearTyping();
  $('log').setAttribute('aria-busy', 'true'); // the past is not news to a screen reader
  if (back) mergeHistory(history);
  else {
    clearLog();
    history.forEach((message) => addEntry({ ...message, status: 'sent' }));
  }
  if (back) addLine(again);
  else if (entries.length) addLine(`You joined #${room}`);
  else showQuiet();
  $('log').removeAttribute('aria-busy');
  scrollToEnd();

  setText($('room-name'), room);
  $('text').placeholder = `Message #${room}`;
  setText($('my-name'), nickname);
  paint($('my-avatar'), nickname);
  showRooms();
  showTitle();
}

$('leave').addEventListener('click', () => {
  here = null;
  remember();
  closeDrawer();
  showScreen('sign-in');
  // The protocol has no word for leaving the last room; a new connection is in none.
  socket.disconnect();
  socket.connect();
});

function showScreen(name) {
  document.body.dataset.screen = name;
  $('sign-in').hidden = name !== 'sign-in';
  $('chat').hidden = name !== 'chat';
  if (name === 'chat') {
    scrollToEnd();
    focusComposer();
  } else {
    clearUnread();
    $('nickname').focus();
  }
  showTitle();
}

function showBusy(busy) {
  $('join').disabled = busy;
  setText($('join'), busy ? 'Joining…' : 'Join the room');
  if (busy) refuseSignIn('');
}

function refuseSignIn(error, field) {
  setText($('sign-in-error'), error);
  for (const id of ['nickname', 'room']) {
    if (error && id === field) $(id).setAttribute('aria-invalid', 'true');
    else $(id).removeAttribute('aria-invalid');
  }
  if (error) $(field).focus();
}

// What the server says -----------------------------------------------------------------------

socket.on('rooms', (counts) => {
  roomCounts = counts || {};
  showRooms();
});

socket.on('joined', ({ nickname, members: people }) => {
  if (!here) return;
  setMembers(people);
  addLine(`${nickname} joined`);
});

socket.on('left', ({ nickname, members: people }) => {
  if (!here) return;
  setMembers(people);
  setTyping(nickname, false);
  addLine(`${nickname} left`);
});

socket.on('message', (message) => {
  if (here && !joining) receive(message);
});

socket.on('typing', ({ nickname, typing }) => {
  if (here && !joining) setTyping(nickname, typing);
});

function receive(message) {
  setTyping(message.from, false);
  if (away()) {
    if (unread === 0) addUnreadDivider();
    unread += 1;
    showTitle();
  }
  addEntry({ ...message, status: 'sent', fresh: true });
}

// The log ------------------------------------------------------------------------------------

/** What is shown: `{from, text, at, status, bubble}`, status `sending`, `sent` or `failed`. */
let entries = [];
/** The group that the next message may be added to: `{node, bubbles, from, at}`. */
let group = null;
let shownDay = '';
let missed = 0;

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const dayName = new Intl.DateTimeFormat(undefined, {
  weekday: 'long',
  day: 'numeric',
  month: 'long',
});

function addEntry(entry) {
  const own = entry.from === here.nickname;
  const stay = own && entry.fresh ? false : !atEnd();
  showDay(entry.at);
  if (!group || group.from !== entry.from || entry.at - group.at > GROUP_WITHIN)
    startGroup(entry, own);
  group.at = entry.at;

  const first = !group.bubbles.querySelector('.bubble');
  entry.bubble = element('div', {
    class: 'bubble',
    'data-testid': 'message',
    'data-from': entry.from,
  });
  if (!first) entry.bubble.append(element('span', { class: 'visually-hidden' }, `${entry.from}: `));
  const text = element('span', { class: 'text' });
  appendText(text, entry.text);
  entry.bubble.append(text);
  entry.bubble.title = clock.format(entry.at);
  entry.bubble.classList.toggle('fresh', Boolean(entry.fresh));
  entry.bubble.classList.toggle('big', onlyEmoji(entry.text));
  group.bubbles.append(entry.bubble);
  setStatus(entry, entry.status);
  entries.push(entry);

  trimLog();
  if (!stay) scrollToEnd();
  else if (entry.fresh) showMissed(missed + 1);
  return entry;
}

function startGroup({ from, at }, own) {
  const bubbles = element('div', { class: 'bubbles' });
  const meta = element('div', { class: 'meta' });
  const name = element(
    'span',
    { class: own ? 'visually-hidden' : 'name' },
    own ? `${from} (you)` : from,
  );
  const time = element('time', { datetime: new Date(at).toISOString() }, clock.format(at));
  meta.append(name, time);
  bubbles.append(meta);
  const node = element('div', { class: own ? 'group own' : 'group' });
  if (!own) node.append(avatar(from));
  node.append(bubbles);
  colour(node, from);
  append(node);
  group = { node, bubbles, from, at };
}

function setStatus(entry, status) {
  entry.status = status;
  entry.bubble.dataset.status = status;
  const note = entry.bubble.querySelector('.undelivered');
  if (note) note.remove();
  if (status !== 'failed') return;
  const again = element('button', { type: 'button' }, 'Try again');
  again.addEventListener('click', () => {
    if (connection !== 'connected') return insist();
    removeEntry(entry);
    send(entry.text);
  });
  const failure = element('span', { class: 'undelivered' }, 'Not delivered');
  failure.append(again);
  entry.bubble.append(failure);
}

function removeEntry(entry) {
  entries.splice(entries.indexOf(entry), 1);
  const bubbles = entry.bubble.parentNode;
  entry.bubble.remove();
  if (bubbles.querySelector('.bubble')) return;
  if (group && group.bubbles === bubbles) group = null;
  bubbles.parentNode.remove();
}

/** After a reconnection: what was said meanwhile, and which of our unanswered messages arrived. */
function mergeHistory(history) {
  const unmatched = [...entries];
  const missing = [];
  for (const message of history) {
    const index = unmatched.findIndex((entry) => same(entry, message));
    if (index < 0) missing.push(message);
    else setStatus(unmatched.splice(index, 1)[0], 'sent');
  }
  for (const entry of entries) if (entry.status === 'sending') setStatus(entry, 'failed');
  missing.forEach((message) => addEntry({ ...message, status: 'sent' }));
}

/** The time of an own message is that of our clock, unless it came from the history. */
function same(entry, message) {
  if (entry.from !== message.from || entry.text !== message.text) return false;
  return (
    entry.at === message.at ||
    (entry.from === here.nickname && Math.abs(entry.at - message.at) < CLOCK_SKEW)
  );
}

function addLine(text) {
  const stay = !atEnd();
  append(element('p', { class: 'line' }, text));
  group = null;
  const lines = $('log').getElementsByClassName('line');
  if (lines.length > LINE_LIMIT) lines[0].remove();
  if (!stay) scrollToEnd();
}

function showDay(at) {
  const date = new Date(at);
  const day = date.toDateString();
  if (day === shownDay) return;
  // Today needs no heading unless something older is above it.
  const today = day === new Date().toDateString();
  const yesterday = day === new Date(Date.now() - 86_400_000).toDateString();
  if (!today || shownDay) {
    append(
      element(
        'div',
        { class: 'divider' },
        today ? 'Today' : yesterday ? 'Yesterday' : dayName.format(date),
      ),
    );
    group = null;
  }
  shownDay = day;
}

function addUnreadDivider() {
  removeUnreadDivider();
  append(element('div', { class: 'divider new' }, 'New'));
  group = null;
}

function removeUnreadDivider() {
  const old = $('log').querySelector('.divider.new');
  if (old) old.remove();
}

function showQuiet() {
  const quiet = element('div', { class: 'quiet' });
  const drawing = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', '#icon-logo');
  drawing.setAttribute('aria-hidden', 'true');
  drawing.append(use);
  quiet.append(
    drawing,
    element('strong', {}, `Nothing said in #${here.room} yet`),
    'Be the first.',
  );
  $('log').append(quiet);
}

function append(node) {
  const quiet = $('log').querySelector('.quiet');
  if (quiet && !node.classList.contains('line')) quiet.remove();
  $('log').append(node);
}

function clearLog() {
  $('log').replaceChildren();
  entries = [];
  group = null;
  shownDay = '';
  showMissed(0);
}

function trimLog() {
  while (entries.length > LOG_LIMIT) {
    const { bubble } = entries[0];
    const old = bubble.closest('.group');
    removeEntry(entries[0]);
    // Lines and headings that nothing follows any more go with the group below them.
    if (!old.isConnected) {
      while (!$('log').firstChild.classList.contains('group')) $('log').firstChild.remove();
    }
  }
}

function atEnd() {
  const log = $('log');
  return log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END;
}

function scrollToEnd() {
  $('log').scrollTop = $('log').scrollHeight;
  showMissed(0);
}

function showMissed(count) {
  missed = count;
  $('jump').hidden = count === 0;
  setText($('jump-text'), count === 1 ? '1 new message' : `${count} new messages`);
}

$('jump').addEventListener('click', () => {
  scrollToEnd();
  focusComposer();
});
$('log').addEventListener(
  'scroll',
  () => {
    if (missed && atEnd()) showMissed(0);
  },
  { passive: true },
);

/** Text with its web addresses as links. */
function appendText(node, text) {
  let from = 0;
  for (const match of text.matchAll(/\bhttps?:\/\/[^\s<>"]+[^\s<>"'.,:;!?)\]}]/gi)) {
    node.append(text.slice(from, match.index));
    node.append(
      element(
        'a',
        { href: match[0], target: '_blank', rel: 'noopener noreferrer nofollow' },
        match[0],
      ),
    );
    from = match.index + match[0].length;
  }
  node.append(text.slice(from));
}

function onlyEmoji(text) {
  return /^(?:\p{Extended_Pictographic}[\p{Emoji_Modifier}\u{fe0f}\u{200d}]*\s*){1,6}$/u.test(text);
}

// Composer -----------------------------------------------------------------------------------

let typingSaid = 0; // when we last said that we type; 0: the others think we do not
let typingTimer = 0;

$('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (!text) return;
  // Not sent, and not lost either: it stays where it is.
  if (connection !== 'connected' || joining) return insist();
  $('text').value = '';
  composerChanged();
  send(text);
  $('text').focus();
});

$('text').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('composer').requestSubmit();
});

$('text').addEventListener('input', () => {
  composerChanged();
  if ($('text').value.trim()) sayTyping();
  else stopTyping();
});

async function send(text) {
  stopTyping();
  removeUnreadDivider();
  const { room } = here;
  const entry = addEntry({
    from: here.nickname,
    text,
    at: Date.now(),
    status: 'sending',
    fresh: true,
  });
  const answer = await request('message', text);
  // Lost with the connection: the history tells after the reconnection whether it arrived.
  if (!here || here.room !== room || (answer.lost && !socket.connected)) return;
  if (answer.ok) entry.at = answer.value.at;
  setStatus(entry, answer.ok ? 'sent' : 'failed');
}

function composerChanged() {
  const box = $('text');
  $('send').disabled = !box.value.trim();
  const left = TEXT_LIMIT - box.value.length;
  setText($('text-left'), left <= 200 ? String(left) : '');
  const end = atEnd();
  box.style.height = 'auto';
  box.style.height = `${box.scrollHeight}px`;
  if (end) scrollToEnd();
}

function sayTyping() {
  clearTimeout(typingTimer);
  typingTimer = setTimeout(stopTyping, TYPING_PAUSE);
  if (connection !== 'connected' || Date.now() - typingSaid < TYPING_REPEAT) return;
  typingSaid = Date.now();
  emitTyping(true);
}

function stopTyping() {
  clearTimeout(typingTimer);
  if (typingSaid && socket.connected) emitTyping(false);
  typingSaid = 0;
}

function emitTyping(typing) {
  (socket.volatile || socket).emit('typing', typing); // client 2.x has no `volatile`
}

/** Who types, each with the timer after which we stop believing it. */
const typists = new Map();

function setTyping(nickname, typing) {
  clearTimeout(typists.get(nickname));
  typists.delete(nickname);
  if (typing)
    typists.set(
      nickname,
      setTimeout(() => setTyping(nickname, false), TYPING_EXPIRY),
    );
  const names = [...typists.keys()];
  $('typing-dots').hidden = names.length === 0;
  let words = '';
  if (names.length === 1) words = `${names[0]} is typing`;
  else if (names.length === 2) words = `${names[0]} and ${names[1]} are typing`;
  else if (names.length) words = `${names.length} people are typing`;
  setText($('typing-text'), words);
}

function clearTyping() {
  for (const nickname of [...typists.keys()]) setTyping(nickname, false);
}

function focusComposer() {
  // On a touch screen this would open the keyboard over the conversation.
  if (matchMedia('(pointer: fine)').matches) $('text').focus();
}

/** The person tried something that needs the connection: point at the banner. */
function insist() {
  const banner = $('banner');
  banner.classList.remove('insist');
  void banner.offsetWidth; // starts the animation anew
  banner.classList.add('insist');
}

// Rooms and members --------------------------------------------------------------------------

function roomNames() {
  const others = Object.keys(roomCounts).concat(here ? here.room : []);
  const extra = [...new Set(others)].filter((name) => !DEFAULT_ROOMS.includes(name));
  return DEFAULT_ROOMS.concat(extra.sort((a, b) => a.localeCompare(b)));
}

function showRooms() {
  reconcile($('room-list'), roomNames(), makeRoom, updateRoom);
  reconcile($('room-choices'), roomNames().slice(0, 8), makeChoice, updateChoice);
}

function countOf(room) {
  // Rooms have names like `constructor` sooner or later.
  return Object.prototype.hasOwnProperty.call(roomCounts, room) ? Number(roomCounts[room]) || 0 : 0;
}

function roomButton(room) {
  return [...$('room-list').querySelectorAll('button')].find(
    (button) => button.dataset.room === room,
  );
}

function makeRoom(name) {
  const item = element('li');
  const button = element('button', { type: 'button', 'data-room': name });
  button.append(
    element('span', { class: 'room-hash', 'aria-hidden': 'true' }, '#'),
    element('span', { class: 'room-label' }, name),
    element('span', { class: 'room-count' }),
  );
  button.addEventListener('click', () => switchRoom(name));
  item.append(button);
  return item;
}

function updateRoom(item, name) {
  const button = item.firstChild;
  const count = countOf(name);
  const badge = button.lastChild;
  setText(badge, count ? String(count) : '');
  badge.hidden = count === 0;
  button.setAttribute('aria-label', `${name}, ${count === 1 ? '1 person' : `${count} people`}`);
  if (here && here.room === name) button.setAttribute('aria-current', 'true');
  else button.removeAttribute('aria-current');
}

function makeChoice(name) {
  const button = element('button', { type: 'button', class: 'room-choice', 'data-room': name });
  button.append(element('span', {}, `#${name}`), element('b'));
  button.addEventListener('click', () => {
    $('room').value = name;
    showRooms();
  });
  return button;
}

function updateChoice(button, name) {
  const count = countOf(name);
  setText(button.lastChild, count ? String(count) : '');
  button.lastChild.hidden = count === 0;
  button.setAttribute('aria-pressed', String(roomName($('room').value) === name));
}

$('room').addEventListener('input', showRooms);

$('new-room-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const room = roomName($('new-room').value);
  if (room) switchRoom(room);
});

/** Rooms are lower case and in one word, so that two people mean the same one. */
function roomName(text) {
  return text.trim().replace(/^#+/, '').trim().toLowerCase().replace(/\s+/g, '-');
}

function setMembers(people) {
  members = people;
  const ordered = [...people].sort((a, b) => a.localeCompare(b));
  reconcile($('member-list'), ordered, makeMember, () => {});
  setText($('room-size'), people.length === 1 ? 'only you here' : `${people.length} people here`);
  setText($('members-title'), `Members (${people.length})`);

  const others = ordered.filter((name) => name !== here.nickname);
  const faces = (others.length ? others : ordered).slice(0, 3).map(avatar);
  if (ordered.length > 4)
    faces.push(element('span', { class: 'faces-more' }, `+${ordered.length - 4}`));
  $('open-members').replaceChildren(...faces);
  $('open-members').setAttribute('aria-label', `Members, ${people.length}`);
}

function makeMember(nickname) {
  const item = element('li', { 'data-nickname': nickname });
  item.append(avatar(nickname), element('span', { class: 'member-name' }, nickname));
  if (nickname === here.nickname) item.append(element('span', { class: 'member-you' }, 'you'));
  return item;
}

/** Makes the children of `list` those of `names`, and keeps the ones it has (and their focus). */
function reconcile(list, names, make, update) {
  const kept = new Map([...list.children].map((node) => [node.dataset.key, node]));
  names.forEach((name, index) => {
    let node = kept.get(name);
    kept.delete(name);
    if (!node) {
      node = make(name);
      node.dataset.key = name;
    }
    update(node, name);
    if (list.children[index] !== node) list.insertBefore(node, list.children[index] || null);
  });
  for (const node of kept.values()) node.remove();
}

function avatar(nickname) {
  const node = element('span', { class: 'avatar', 'aria-hidden': 'true' });
  paint(node, nickname);
  return node;
}

function paint(node, nickname) {
  setText(node, initials(nickname));
  colour(node, nickname);
}

function initials(nickname) {
  const words = nickname.split(/[\s._-]+/).filter(Boolean);
  const letters = words.slice(0, 2).map((word) => [...word][0]);
  return (letters.join('') || [...nickname][0] || '?').toUpperCase();
}

function colour(node, nickname) {
  let hash = 0x811c9dc5; // FNV-1a
  for (const c of nickname) hash = Math.imul(hash ^ c.codePointAt(0), 0x01000193);
  hash ^= hash >>> 15; // its low bits alone are close for close names
  node.style.setProperty('--person', PEOPLE[(hash >>> 0) % PEOPLE.length]);
}

// Around it ----------------------------------------------------------------------------------

let unread = 0;

function away() {
  return document.hidden || !document.hasFocus();
}

function clearUnread() {
  if (unread === 0) return;
  unread = 0;
  showTitle();
}

function showTitle() {
  const place = document.body.dataset.screen === 'chat' && here ? `#${here.room} · Chat` : 'Chat';
  document.title = unread ? `(${unread}) ${place}` : place;
}

document.addEventListener('visibilitychange', () => {
  if (!away()) clearUnread();
});
window.addEventListener('focus', clearUnread);
window.addEventListener('hashchange', () => {
  if (roomOfAddress()) switchRoom(roomOfAddress());
});

let opener = null;

function openDrawer(drawer, button) {
  closeDrawer();
  opener = button;
  drawer.classList.add('open');
  button.setAttribute('aria-expanded', 'true');
  $('backdrop').hidden = false;
  document.querySelector('.conversation').inert = true;
  const first = drawer.querySelector('[aria-current="true"], [data-close-drawer]');
  if (first) first.focus({ preventScroll: true });
}

function closeDrawer() {
  if (!opener) return;
  document.querySelector('.drawer.open').classList.remove('open');
  document.querySelector('.conversation').inert = false;
  $('backdrop').hidden = true;
  opener.setAttribute('aria-expanded', 'false');
  opener.focus();
  opener = null;
}

$('open-rooms').addEventListener('click', () => openDrawer($('sidebar'), $('open-rooms')));
$('open-members').addEventListener('click', () => openDrawer($('members'), $('open-members')));
$('backdrop').addEventListener('click', closeDrawer);
for (const button of document.querySelectorAll('[data-close-drawer]'))
  button.addEventListener('click', closeDrawer);
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') closeDrawer();
});
// A wider window shows them without a drawer.
for (const query of ['(max-width: 1079.98px)', '(max-width: 759.98px)']) {
  matchMedia(query).addEventListener('change', closeDrawer);
}

// Safari on a phone does not count the keyboard in `dvh`; the visual viewport does.
if (window.visualViewport) {
  window.visualViewport.addEventListener('resize', () => {
    const { height, scale } = window.visualViewport;
    if (scale !== 1) return; // zoomed in by hand
    const end = atEnd();
    document.documentElement.style.setProperty('--viewport', `${height}px`);
    window.scrollTo(0, 0);
    if (end) scrollToEnd();
  });
}
new ResizeObserver(() => {
  if (missed === 0) scrollToEnd();
}).observe($('log'));

/** Of this tab only: two tabs may be two people. */
function remember() {
  try {
    sessionStorage.setItem('chat', JSON.stringify({ ...recall(), ...here, inside: Boolean(here) }));
  } catch {
    // Storage may be switched off; the card then starts empty.
  }
  if (here) history.replaceState(null, '', `#${encodeURIComponent(here.room)}`);
}

function recall() {
  try {
    return JSON.parse(sessionStorage.getItem('chat')) || {};
  } catch {
    return {};
  }
}

function roomOfAddress() {
  try {
    return roomName(decodeURIComponent(location.hash.slice(1)));
  } catch {
    return ''; // not a valid escape
  }
}

function sentence(text) {
  const words = String((text && text.message) || text || 'that did not work');
  return words[0].toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? '' : '.');
}

function element(tag, attributes = {}, text = '') {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text) node.textContent = text;
  return node;
}

/** Live regions repeat what is set again, even when it is the same. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Start: a reloaded tab goes back to its place by itself, another one asks first.
const before = recall();
if (before.nickname) $('nickname').value = before.nickname;
$('room').value = roomOfAddress() || before.room || DEFAULT_ROOMS[0];
showRooms();
if (before.inside && before.nickname) {
  wanted = { nickname: before.nickname, room: roomName($('room').value) };
  patientUntil = Date.now() + RELOAD_PATIENCE;
}
showBusy(Boolean(wanted));
