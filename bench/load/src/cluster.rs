//! Two nodes of a cluster: one member of the first has messages sent to all members of both, which
//! are numbered, so that each member can tell what it lost, got twice or got too early.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use socketio_testkit::protocol::TEXT;

use crate::histogram::Histogram;
use crate::load::{Load, Stage};
use crate::network::Ready;
use crate::process::{Usage, usage};
use crate::request::{frame, text};
use crate::run::{Window, round};

/// What was sent, and what each member saw of it.
#[derive(Default)]
pub(crate) struct Cluster {
    messages: Vec<Message>,
    members: Vec<Member>,
    /// So many of them are of the node that sends.
    near_members: usize,
    padding: String,
    /// Messages that some member still waits for.
    on_the_way: usize,
    /// When a message came.
    last: Option<Instant>,
    duplicates: u64,
    disorder: u64,
    near: Side,
    far: Side,
}

struct Message {
    sent: Instant,
    missing: usize,
    is_measured: bool,
}

#[derive(Default)]
struct Member {
    /// By number.
    seen: Vec<bool>,
    /// Above the highest number it saw.
    next: usize,
}

/// The members of one node.
#[derive(Default)]
struct Side {
    deliveries: u64,
    latency: Histogram,
}

impl Cluster {
    fn new(near_members: usize, members: usize, padding: String) -> Self {
        let members = std::iter::repeat_with(Member::default).take(members).collect();
        Self { members, near_members, padding, ..Self::default() }
    }

    /// The next message.
    fn send(&mut self, sent: Instant, is_measured: bool) -> String {
        let number = self.messages.len();
        let missing = self.members.len();
        self.messages.push(Message { sent, missing, is_measured });
        self.on_the_way += 1;
        format!(r#"42["bcast","{number:08}:{}"]"#, self.padding)
    }

    /// The number of a message, if it is one that was sent.
    fn number(&self, message: &[u8]) -> Option<usize> {
        let body = message.strip_prefix(br#"42["msg",""#)?.strip_suffix(br#""]"#)?;
        let (number, padding) = body.split_at_checked(8)?;
        let number = std::str::from_utf8(number).ok()?.parse().ok()?;
        let is_whole = padding.strip_prefix(b":") == Some(self.padding.as_bytes());
        (is_whole && number < self.messages.len()).then_some(number)
    }

    /// False: it is no message.
    fn receive(&mut self, at: usize, bytes: &[u8]) -> bool {
        let Some(number) = self.number(bytes) else { return false };
        let is_far = at >= self.near_members;
        let member = &mut self.members[at];
        if member.seen.len() <= number {
            member.seen.resize(number + 1, false);
        }
        if std::mem::replace(&mut member.seen[number], true) {
            self.duplicates += 1;
            return true;
        }
        self.disorder += u64::from(number < member.next);
        member.next = member.next.max(number + 1);
        let message = &mut self.messages[number];
        let now = Instant::now();
        self.last = Some(now);
        let side = if is_far { &mut self.far } else { &mut self.near };
        side.deliveries += 1;
        if message.is_measured {
            side.latency.add(now - message.sent);
        }
        message.missing -= 1;
        self.on_the_way -= usize::from(message.missing == 0);
        true
    }

    /// Deliveries that did not come.
    fn lost(&self) -> usize {
        self.messages.iter().map(|message| message.missing).sum()
    }
}

/// What the processes used, and what was delivered until then.
struct Mark {
    at: Instant,
    processes: Vec<Usage>,
    near: u64,
    far: u64,
    messages: usize,
}

impl Load {
    pub(crate) fn on_numbered(&mut self, at: usize, message: &[u8]) {
        match self.cluster.receive(at, message) {
            true => self.counts.done += 1,
            false => self.wrong(message),
        }
    }

    /// Sends until the time is over or all were sent, and waits for what is on its way.
    pub(crate) fn cluster(mut self) -> Result<String, String> {
        let mut found = Vec::new();
        self.open_all(&mut found)?;
        let options = self.options.clone();
        let padding = text(options.size.saturating_sub(9));
        self.cluster = Cluster::new(options.near(), options.connections, padding);
        let start = Instant::now();
        let mut begin = None;
        loop {
            let is_over = match options.messages {
                Some(count) => self.cluster.messages.len() >= count,
                None => start.elapsed() >= options.warm + options.measure,
            };
            if is_over {
                break;
            }
            let is_warm = options.messages.is_some() || start.elapsed() >= options.warm;
            if begin.is_none() && is_warm {
                self.stage = Stage::Measuring;
                begin = Some((Window::open(&self), self.mark()));
            }
            let wait = self.send_due(start);
            self.turn(wait, &mut found)?;
        }
        // A count of messages is over when they came, a time when it is over.
        let end = options.messages.is_none().then(|| self.mark());
        self.drain(&mut found)?;
        let (window, begin) = begin.ok_or("no time to measure")?;
        let end = end.unwrap_or_else(|| self.mark());
        let mut line = window.close(&self);
        self.tell(&mut line, &begin, &end);
        self.finish(&mut line);
        Ok(Value::from(line).to_string())
    }

    /// Sends what is due; gives how long nothing more will be.
    fn send_due(&mut self, start: Instant) -> Duration {
        let is_measured = self.stage == Stage::Measuring;
        let options = &self.options;
        let left = options.messages.map_or(usize::MAX, |all| all - self.cluster.messages.len());
        let now = Instant::now();
        let mut requests = Vec::new();
        if let Some(rate) = options.rate {
            let due = |count: usize| start + Duration::from_secs_f64(count as f64 / rate);
            while requests.len() < left && due(self.cluster.messages.len()) <= now {
                // Not from when it was due: how late the load is is not the server's doing, and what
                // comes back does not make it late.
                requests.push(self.cluster.send(now, is_measured));
            }
            self.send_all(&requests);
            let next = due(self.cluster.messages.len());
            return next.saturating_duration_since(Instant::now());
        }
        let since = self.cluster.last.map_or(now.saturating_duration_since(start), |at| now - at);
        if since > STALLED {
            // Lost: no reason to wait for ever.
            self.cluster.on_the_way = 0;
        }
        let on_the_way = self.cluster.on_the_way;
        if !options.burst || on_the_way == 0 {
            let count = options.window.saturating_sub(on_the_way).min(left);
            requests.extend((0..count).map(|_| self.cluster.send(now, is_measured)));
            self.send_all(&requests);
        }
        Duration::from_millis(20)
    }

    /// In one write.
    fn send_all(&mut self, requests: &[String]) {
        let frames: Vec<u8> =
            requests.iter().flat_map(|request| frame(TEXT, request.as_bytes())).collect();
        if !frames.is_empty() {
            self.send(0, &frames);
        }
    }

    fn drain(&mut self, found: &mut Vec<Ready>) -> Result<(), String> {
        let mut until = Instant::now() + STALLED;
        while self.cluster.lost() > 0 && Instant::now() < until {
            self.turn(Duration::from_millis(20), found)?;
            if let Some(last) = self.cluster.last {
                until = until.max(last + STALLED);
            }
        }
        Ok(())
    }

    fn mark(&self) -> Mark {
        Mark {
            at: Instant::now(),
            processes: self.options.processes.iter().map(|&id| usage(&[id])).collect(),
            near: self.cluster.near.deliveries,
            far: self.cluster.far.deliveries,
            messages: self.cluster.messages.len(),
        }
    }

    /// Of the processes the first is the node that sends, the second the other one, the third the
    /// broker.
    fn tell(&self, line: &mut Map<String, Value>, begin: &Mark, end: &Mark) {
        let cluster = &self.cluster;
        let mut put = |key: &str, value: Value| drop(line.insert(key.into(), value));
        let units = [end.near - begin.near, end.far - begin.far];
        let messages = (end.messages - begin.messages) as u64;
        let counted = [units[0], units[1], messages];
        for (at, (key, count)) in
            ["near_cpu_us", "far_cpu_us", "broker_cpu_us"].iter().zip(counted).enumerate()
        {
            if let (Some(begin), Some(end), true) =
                (begin.processes.get(at), end.processes.get(at), count > 0)
            {
                put(key, round((end.cpu - begin.cpu) * 1e6 / count as f64));
            }
        }
        let seconds = (cluster.last.filter(|_| self.options.messages.is_some()))
            .map_or(end.at - begin.at, |last| last - begin.at)
            .as_secs_f64();
        put("messages", messages.into());
        put("messages_per_s", (messages as f64 / seconds).round().into());
        put("per_s", ((units[0] + units[1]) as f64 / seconds).round().into());
        for (side, of) in [("near", &cluster.near), ("far", &cluster.far)] {
            put(&format!("{side}_p50_ms"), round(of.latency.quantile(0.5)));
            put(&format!("{side}_p99_ms"), round(of.latency.quantile(0.99)));
            put(&format!("{side}_max_ms"), round(of.latency.max()));
        }
        put("lost", cluster.lost().into());
        put("duplicates", cluster.duplicates.into());
        put("disorder", cluster.disorder.into());
    }
}

/// What has not come this long after the last that came is lost.
const STALLED: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(cluster: &mut Cluster) -> Vec<u8> {
        cluster.send(Instant::now(), true).replace("bcast", "msg").into_bytes()
    }

    #[test]
    fn what_members_see() {
        let mut cluster = Cluster::new(1, 2, "x".to_owned());
        let messages = [sent(&mut cluster), sent(&mut cluster), sent(&mut cluster)];
        assert!(cluster.receive(0, &messages[0]));
        assert!(cluster.receive(0, &messages[2]));
        assert_eq!((cluster.duplicates, cluster.disorder, cluster.lost()), (0, 0, 4));
        assert!(cluster.receive(0, &messages[1]));
        assert!(cluster.receive(0, &messages[1]));
        assert_eq!((cluster.duplicates, cluster.disorder, cluster.lost()), (1, 1, 3));
        assert_eq!(cluster.on_the_way, 3);
        for message in &messages {
            assert!(cluster.receive(1, message));
        }
        assert_eq!((cluster.on_the_way, cluster.lost()), (0, 0));
        assert_eq!((cluster.near.deliveries, cluster.far.deliveries), (3, 3));
    }

    #[test]
    fn what_is_no_message() {
        let mut cluster = Cluster::new(1, 2, "x".to_owned());
        sent(&mut cluster);
        for wrong in [r#"42["msg","00000001:x"]"#, r#"42["msg","00000000:y"]"#, "42[]"] {
            assert!(!cluster.receive(0, wrong.as_bytes()), "{wrong}");
        }
    }
}
