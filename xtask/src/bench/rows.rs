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
    pub(crate) bar: Bar,
    /// The floor that stands beside our server.
    pub(crate) floor: Option<&'static str>,
    pub(crate) target: Target,
    /// Every connection is a new one: a just-in-time compiler needs seconds to settle.
    pub(crate) is_handshake: bool,
    /// How our server is built.
    pub(crate) profile: &'static str,
}

/// What a row is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bar {
    /// CPU time, as a ratio to that of the floor.
    Floor,
    /// CPU time, as a ratio to that of socketioxide with clients of the same protocol.
    Socketioxide,
    /// KB of memory per connection.
    Memory,
}

impl Bar {
    /// What the value is called in the line of the load generator.
    pub(crate) fn key(self) -> &'static str {
        if self == Self::Memory { "kb_per_conn" } else { "cpu_us" }
    }
}

const fn row(
    name: &'static str,
    title: &'static str,
    load: &'static [&'static str],
    bar: Bar,
    [must, ambition]: [f64; 2],
) -> Row {
    Row {
        name,
        title,
        load,
        bar,
        floor: match bar {
            Bar::Floor => Some("mini"),
            _ => None,
        },
        target: Target { must, ambition },
        is_handshake: false,
        profile: "bench",
    }
}

const fn handshake(row: Row) -> Row {
    Row { is_handshake: true, ..row }
}

const fn idle(name: &'static str, title: &'static str, load: &'static [&'static str]) -> Row {
    Row { floor: Some("hyper-lean"), ..row(name, title, load, Bar::Memory, [4.0, 2.0]) }
}

const fn axum(row: Row) -> Row {
    Row { profile: "bench-axum", floor: None, ..row }
}

pub(crate) const ROWS: [Row; 15] = [
    row("echo", "echo 32 B", &["echo", "-c", "100"], Bar::Floor, [1.30, 1.15]),
    row(
        "echo-x16",
        "echo 32 B, 16 in flight",
        &["echo", "-c", "20", "-w", "16"],
        Bar::Floor,
        [4.0, 2.2],
    ),
    row("echo-1k", "echo 1 KiB", &["echo", "-c", "100", "-s", "1024"], Bar::Floor, [1.30, 1.15]),
    row("echo-64k", "echo 64 KiB", &["echo", "-c", "20", "-s", "65536"], Bar::Floor, [2.0, 1.5]),
    row("ack", "ack 32 B", &["ack", "-c", "100"], Bar::Socketioxide, [0.75, 0.65]),
    row(
        "binary",
        "echo of 1 KiB of bytes",
        &["echo", "-c", "100", "-s", "1024", "--binary"],
        Bar::Socketioxide,
        [0.75, 0.63],
    ),
    row(
        "broadcast",
        "broadcast to 1000, per delivery",
        &["broadcast", "-c", "1000"],
        Bar::Floor,
        [1.20, 1.08],
    ),
    handshake(row(
        "connect",
        "connect, WebSocket alone",
        &["connect", "-c", "16"],
        Bar::Socketioxide,
        [0.95, 0.83],
    )),
    handshake(row(
        "upgrade",
        "connect, polling then upgrade",
        &["connect", "--upgrade", "-c", "16"],
        Bar::Socketioxide,
        [0.95, 0.72],
    )),
    Row {
        floor: Some("hyper-poll"),
        ..row("polling", "echo over polling", &["polling", "-c", "50"], Bar::Floor, [1.4, 1.2])
    },
    handshake(row(
        "churn",
        "connect, join, ack, disconnect",
        &["churn", "-c", "16"],
        Bar::Socketioxide,
        [0.95, 0.72],
    )),
    idle("idle-1000", "1000 idle", &["idle", "-c", "1000"]),
    idle("idle-9500", "9500 idle", &["idle", "-c", "9500"]),
    axum(idle("axum-1000", "1000 idle, under axum", &["idle", "-c", "1000"])),
    axum(idle("axum-9500", "9500 idle, under axum", &["idle", "-c", "9500"])),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_apart() {
        for (at, row) in ROWS.iter().enumerate() {
            assert!(ROWS[..at].iter().all(|other| other.name != row.name), "{}", row.name);
            assert!(row.target.ambition < row.target.must, "{}", row.name);
            assert!(row.bar != Bar::Floor || row.floor.is_some(), "{}", row.name);
        }
    }
}
