//! The command line.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use socketio_testkit::Eio;

/// Which protocol the clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Eio3,
    Eio4,
    /// WebSocket without Socket.IO.
    Raw,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    Echo,
    Ack,
    Broadcast,
    Idle,
    Connect,
    Polling,
    Churn,
    Fanout,
    Cluster,
    Probe,
}

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) name: String,
    pub(crate) address: SocketAddrV4,
    /// The connections after the first [`Options::near`] are to this port.
    pub(crate) other: Option<u16>,
    near: Option<usize>,
    pub(crate) dialect: Dialect,
    pub(crate) scenario: Scenario,
    pub(crate) connections: usize,
    pub(crate) window: usize,
    pub(crate) size: usize,
    pub(crate) binary: bool,
    pub(crate) upgrade: bool,
    pub(crate) deflate: bool,
    pub(crate) measure: Duration,
    pub(crate) warm: Duration,
    /// Connections or messages a second; as fast as it goes without.
    pub(crate) rate: Option<f64>,
    pub(crate) senders: usize,
    /// So many messages instead of a time.
    pub(crate) messages: Option<usize>,
    /// The window is filled again when it is empty.
    pub(crate) burst: bool,
    pub(crate) every: Duration,
    pub(crate) room: Option<String>,
    pub(crate) leave: bool,
    pub(crate) processes: Vec<u32>,
}

impl Options {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut arguments = arguments.into_iter();
        let scenario = arguments.next().unwrap_or_default();
        let mut options = Self {
            name: "server".to_owned(),
            address: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 3000),
            other: None,
            near: None,
            dialect: Dialect::Eio4,
            scenario: Scenario::named(&scenario)?,
            connections: 100,
            window: 1,
            size: 32,
            binary: false,
            upgrade: false,
            deflate: false,
            measure: Duration::from_secs(4),
            warm: Duration::from_secs(1),
            rate: None,
            senders: 4,
            messages: None,
            burst: false,
            every: Duration::from_millis(5),
            room: None,
            leave: false,
            processes: Vec::new(),
        };
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
            match name.as_str() {
                "--binary" => options.binary = true,
                "--upgrade" => options.upgrade = true,
                "--deflate" => options.deflate = true,
                "--leave" => options.leave = true,
                "--burst" => options.burst = true,
                "--other" => options.other = Some(number(&name, &value()?)?),
                "--near" => options.near = Some(number(&name, &value()?)?),
                "--messages" => options.messages = Some(number(&name, &value()?)?),
                "--name" => options.name = value()?,
                "--port" => options.address.set_port(number(&name, &value()?)?),
                "--protocol" => options.dialect = Dialect::named(&value()?)?,
                "--connections" | "-c" => options.connections = number(&name, &value()?)?,
                "--window" | "-w" => options.window = number(&name, &value()?)?,
                "--size" | "-s" => options.size = number(&name, &value()?)?,
                "--secs" => options.measure = seconds(&name, &value()?)?,
                "--warm" => options.warm = seconds(&name, &value()?)?,
                "--rate" => options.rate = Some(number(&name, &value()?)?),
                "--senders" => options.senders = number(&name, &value()?)?,
                "--every" => options.every = seconds(&name, &value()?)?,
                "--room" => options.room = Some(value()?),
                "--pid" => options.processes.push(number(&name, &value()?)?),
                _ => return Err(format!("no option {name}")),
            }
        }
        options.check()?;
        Ok(options)
    }

    /// The server of a connection.
    pub(crate) fn address_of(&self, connection: usize) -> SocketAddrV4 {
        let mut address = self.address;
        match self.other {
            Some(port) if connection >= self.near() => address.set_port(port),
            _ => {}
        }
        address
    }

    /// How many of the connections are to the first of two servers: half of them, if it is not said.
    pub(crate) fn near(&self) -> usize {
        self.near.unwrap_or(self.connections / 2)
    }

    /// What cannot be measured together. An option without a meaning for the scenario is accepted.
    fn check(&self) -> Result<(), String> {
        let raw = self.dialect == Dialect::Raw;
        let scenario = self.scenario;
        let needs_socketio = !matches!(
            scenario,
            Scenario::Echo | Scenario::Broadcast | Scenario::Idle | Scenario::Connect
        );
        if raw && (needs_socketio || self.upgrade) {
            return Err(format!("{scenario:?} needs Socket.IO"));
        }
        if scenario == Scenario::Polling && self.binary && self.dialect == Dialect::Eio3 {
            return Err("binary over polling is there for Engine.IO 4 alone".to_owned());
        }
        if self.size == 0 || self.connections == 0 || self.window == 0 {
            return Err("size, connections and window are at least 1".to_owned());
        }
        if scenario == Scenario::Fanout && (self.rate.is_none() || self.senders > self.connections)
        {
            return Err("Fanout needs a --rate, and senders among its connections".to_owned());
        }
        let is_cluster = scenario == Scenario::Cluster;
        // the first of them sends
        if is_cluster && (self.other.is_none() || !(1..self.connections).contains(&self.near())) {
            return Err("Cluster needs --other, and connections to both servers".to_owned());
        }
        if (self.other.is_some() || self.near.is_some()) && !is_cluster {
            return Err("--other and --near are for Cluster alone".to_owned());
        }
        if self.rate.is_some_and(|rate| !(rate > 0.0 && rate.is_finite())) {
            return Err("the rate is above 0".to_owned());
        }
        if self.scenario == Scenario::Probe && self.every.is_zero() {
            return Err("--every is above 0".to_owned());
        }
        Ok(())
    }
}

impl Dialect {
    fn named(name: &str) -> Result<Self, String> {
        Ok(match name {
            "eio3" => Self::Eio3,
            "eio4" => Self::Eio4,
            "raw" => Self::Raw,
            _ => return Err(format!("no protocol {name}: eio3, eio4 or raw")),
        })
    }

    /// Its Engine.IO; plain WebSocket has none.
    pub(crate) fn eio(self) -> Option<Eio> {
        match self {
            Self::Eio3 => Some(Eio::V3),
            Self::Eio4 => Some(Eio::V4),
            Self::Raw => None,
        }
    }
}

impl Scenario {
    fn named(name: &str) -> Result<Self, String> {
        Ok(match name {
            "echo" => Self::Echo,
            "ack" => Self::Ack,
            "broadcast" => Self::Broadcast,
            "idle" => Self::Idle,
            "connect" => Self::Connect,
            "polling" => Self::Polling,
            "churn" => Self::Churn,
            "fanout" => Self::Fanout,
            "cluster" => Self::Cluster,
            "probe" => Self::Probe,
            _ => return Err(format!("no scenario `{name}`; README.md lists them")),
        })
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name} {value}: no such number"))
}

fn seconds(name: &str, value: &str) -> Result<Duration, String> {
    let seconds: f64 = number(name, value)?;
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("{name} {value}: no such time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_command_line() {
        let options = parse("echo --port 1234 --protocol eio3 -c 20 -w 16 --secs 0.5").unwrap();
        assert_eq!(options.address.port(), 1234);
        assert_eq!(options.dialect, Dialect::Eio3);
        assert_eq!((options.connections, options.window), (20, 16));
        assert_eq!(options.measure, Duration::from_millis(500));
    }

    #[test]
    fn which_server() {
        let ports = |line: &str| {
            let options = parse(line).unwrap();
            [0, 1, 2, 3].map(|at| options.address_of(at).port())
        };
        let line = "cluster -c 4 --port 1 --other 2";
        assert_eq!(ports(line), [1, 1, 2, 2]);
        assert_eq!(ports(&format!("{line} --near 1")), [1, 2, 2, 2]);
    }

    #[test]
    fn what_does_not_fit() {
        #[track_caller]
        fn check(line: &str, expected: &str) {
            assert_eq!(parse(line).unwrap_err(), expected);
        }
        check("", "no scenario ``; README.md lists them");
        check("echo --size", "--size needs a value");
        check("echo --size x", "--size x: no such number");
        check("echo --secs -1", "--secs -1: no such time");
        check("echo --fast", "no option --fast");
        check("ack --protocol raw", "Ack needs Socket.IO");
        check("fanout", "Fanout needs a --rate, and senders among its connections");
        check("idle --rate 0", "the rate is above 0");
        check("cluster", "Cluster needs --other, and connections to both servers");
        for near in ["0", "100"] {
            let line = format!("cluster --other 1 --near {near}");
            check(&line, "Cluster needs --other, and connections to both servers");
        }
        check("echo --other 1", "--other and --near are for Cluster alone");
        check("echo --near 1", "--other and --near are for Cluster alone");
    }
}
