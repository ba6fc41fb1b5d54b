//! What is measured, against what, and what it has to reach.

use super::ratios::Target;

/// A row of the first table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// For `--rows`.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// The scenario of the load generator.
    pub(crate) load: &'static [&'static str],
    /// What it is judged by.
    pub(crate) bars: &'static [(Bar, Target)],
    /// The floor that stands beside our server.
    pub(crate) floor: Option<&'static str>,
    /// Every connection is a new one: a just-in-time compiler needs seconds to settle.
    pub(crate) is_handshake: bool,
    /// How our server is built.
    pub(crate) profile: &'static str,
}

impl Row {
    /// It is measured in memory, once.
    pub(crate) fn is_memory(&self) -> bool {
        self.has(Bar::Memory)
    }

    pub(crate) fn has(&self, bar: Bar) -> bool {
        self.bars.iter().any(|(other, _)| *other == bar)
    }

    /// What the measured value is called in the line of the load generator.
    pub(crate) fn key(&self) -> &'static str {
        if self.is_memory() { "kb_per_conn" } else { "cpu_us" }
    }

    pub(crate) fn unit(&self) -> &'static str {
        if self.is_memory() { "KB" } else { "us" }
    }
}

/// What a row is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bar {
    /// CPU time, as a ratio to that of the floor.
    Floor,
    /// CPU time above that of the floor: what is our own where the kernel is most of both.
    AboveFloor,
    /// CPU time, as a ratio to that of socketioxide with clients of the same protocol.
    Socketioxide,
    /// CPU time, as a ratio to that of socket.io 4 on Node.
    Node4,
    /// KB of memory per connection.
    Memory,
}

const fn row(
    name: &'static str,
    title: &'static str,
    load: &'static [&'static str],
    floor: Option<&'static str>,
    bars: &'static [(Bar, Target)],
) -> Row {
    Row { name, title, load, bars, floor, is_handshake: false, profile: "bench" }
}

const fn handshake(row: Row) -> Row {
    Row { is_handshake: true, ..row }
}

const fn axum(row: Row) -> Row {
    Row { profile: "bench-axum", floor: None, ..row }
}

const fn floor(must: f64, ambition: f64) -> (Bar, Target) {
    (Bar::Floor, Target { must, ambition })
}

const fn peer(must: f64, ambition: f64) -> (Bar, Target) {
    (Bar::Socketioxide, Target { must, ambition })
}

const fn memory(must: f64, ambition: f64) -> (Bar, Target) {
    (Bar::Memory, Target { must, ambition })
}

const fn node(must: f64, ambition: f64) -> (Bar, Target) {
    (Bar::Node4, Target { must, ambition })
}

const MINI: Option<&str> = Some("mini");
const LEAN: Option<&str> = Some("hyper-lean");

pub(crate) const ROWS: [Row; 17] = [
    row("echo", "echo 32 B", &["echo", "-c", "100"], MINI, &[floor(1.18, 1.12)]),
    row(
        "echo-x16",
        "echo 32 B, 16 in flight",
        &["echo", "-c", "20", "-w", "16"],
        MINI,
        &[floor(4.0, 2.2)],
    ),
    row(
        "pipe",
        "echo 32 B, 64 in flight",
        &["echo", "-c", "10", "-w", "64"],
        MINI,
        &[(Bar::AboveFloor, Target { must: 0.42, ambition: 0.3 })],
    ),
    row("echo-1k", "echo 1 KiB", &["echo", "-c", "100", "-s", "1024"], MINI, &[floor(1.22, 1.12)]),
    row("echo-64k", "echo 64 KiB", &["echo", "-c", "20", "-s", "65536"], MINI, &[floor(2.0, 1.5)]),
    Row {
        profile: "bench-deflate",
        ..row(
            "echo-deflate",
            "echo 1 KiB, compressed",
            &["echo", "-c", "50", "-s", "1024", "--deflate"],
            None,
            &[node(0.4, 0.25)],
        )
    },
    row("ack", "ack 32 B", &["ack", "-c", "100"], None, &[peer(0.75, 0.65)]),
    row(
        "binary",
        "echo of 1 KiB of bytes",
        &["echo", "-c", "100", "-s", "1024", "--binary"],
        None,
        &[peer(0.75, 0.63)],
    ),
    row(
        "broadcast",
        "broadcast to 1000, per delivery",
        &["broadcast", "-c", "1000"],
        MINI,
        &[floor(1.10, 1.05)],
    ),
    handshake(row(
        "connect",
        "connect, WebSocket alone",
        &["connect", "-c", "16"],
        MINI,
        &[floor(1.25, 1.15), peer(0.75, 0.65)],
    )),
    handshake(row(
        "upgrade",
        "connect, polling then upgrade",
        &["connect", "--upgrade", "-c", "16"],
        None,
        &[peer(0.75, 0.60)],
    )),
    row(
        "polling",
        "echo over polling",
        &["polling", "-c", "50"],
        Some("hyper-poll"),
        &[floor(1.25, 1.12), peer(0.90, 0.80)],
    ),
    handshake(row(
        "churn",
        "connect, join, ack, disconnect",
        &["churn", "-c", "16"],
        None,
        &[peer(0.75, 0.60)],
    )),
    row("idle-1000", "1000 idle", &["idle", "-c", "1000"], LEAN, &[memory(3.0, 2.4)]),
    row("idle-9500", "9500 idle", &["idle", "-c", "9500"], LEAN, &[memory(2.4, 2.0)]),
    axum(row(
        "axum-1000",
        "1000 idle, under axum",
        &["idle", "-c", "1000"],
        None,
        &[memory(4.0, 2.0)],
    )),
    axum(row(
        "axum-9500",
        "9500 idle, under axum",
        &["idle", "-c", "9500"],
        None,
        &[memory(4.0, 2.0)],
    )),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_apart() {
        for (at, row) in ROWS.iter().enumerate() {
            assert!(ROWS[..at].iter().all(|other| other.name != row.name), "{}", row.name);
            for (bar, target) in row.bars {
                assert!(target.ambition < target.must, "{}", row.name);
                let needs_floor = matches!(bar, Bar::Floor | Bar::AboveFloor);
                assert!(!needs_floor || row.floor.is_some(), "{}", row.name);
            }
            assert!(!row.bars.is_empty(), "{}", row.name);
        }
    }
}
