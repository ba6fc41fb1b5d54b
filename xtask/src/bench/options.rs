//! The arguments of `cargo xtask bench`.

use super::behaviour::CHECKS;
use super::cluster;
use super::rows::ROWS;
use crate::command::Result;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    /// Two nodes and Redis, instead of single servers.
    pub(crate) cluster: bool,
    /// How the messages of a cluster travel.
    pub(crate) carrier: Carrier,
    /// Nothing is pinned.
    pub(crate) anywhere: bool,
    /// Rows that take long, too.
    pub(crate) full: bool,
    pub(crate) rounds: usize,
    /// Seconds that are measured, and those before them.
    pub(crate) measure: f64,
    pub(crate) warm: f64,
    /// Seconds that a just-in-time compiler gets before a row of handshakes; without, Node is left
    /// out of them.
    pub(crate) warm_node: Option<f64>,
    /// Nothing: all of them.
    pub(crate) rows: Option<Vec<String>>,
    pub(crate) peers: Vec<Peer>,
    pub(crate) protocols: Vec<Protocol>,
    /// The command of our server, when it is not to be built here.
    pub(crate) server: Option<String>,
    /// Other builds, by name.
    pub(crate) with: Vec<(String, String)>,
    pub(crate) out: Option<String>,
    /// Where the picture of the rows goes.
    pub(crate) plot: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Epoll,
    Socketioxide,
    Node4,
    Node2,
    /// On Bun.
    Bun,
}

/// What the clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Eio4,
    Eio3,
    /// WebSocket without Socket.IO.
    Raw,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            cluster: false,
            carrier: Carrier::Classic,
            anywhere: false,
            full: false,
            rounds: 3,
            measure: 1.0,
            warm: 0.5,
            warm_node: None,
            rows: None,
            peers: vec![Peer::Socketioxide, Peer::Node4, Peer::Node2, Peer::Bun],
            protocols: vec![Protocol::Eio4, Protocol::Eio3],
            server: None,
            with: Vec::new(),
            out: None,
            plot: None,
        };
        // First, so that the order of the arguments does not matter.
        if arguments.iter().any(|argument| argument == "--cluster") {
            options.cluster = true;
            options.measure = 3.0;
            options.warm = 1.0;
        }
        if arguments.iter().any(|argument| argument == "--full") {
            options.full = true;
            options.rounds = 5;
            options.measure = 3.0;
            options.warm = 1.0;
            options.warm_node = Some(6.0);
        }
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "--quick" | "--full" | "--cluster" => {}
                "--carrier" => options.carrier = Carrier::named(value()?)?,
                "--anywhere" => options.anywhere = true,
                "--no-node" => options.peers.retain(|peer| !peer.is_compiled_late()),
                "--rounds" => options.rounds = number(name, value()?)?,
                "--secs" => options.measure = number(name, value()?)?,
                "--rows" => options.rows = Some(rows(value()?)?),
                "--peers" => options.peers = each(value()?, Peer::named)?,
                "--protocols" => options.protocols = each(value()?, Protocol::named)?,
                "--server" => options.server = Some(command(name, value()?)?),
                "--with" => {
                    let value = value()?;
                    let (build, line) = value.split_once('=').ok_or("--with needs NAME=COMMAND")?;
                    options.with.push((build.to_owned(), command(name, line)?));
                }
                "--plot" => options.plot = Some(value()?.to_owned()),
                "--out" => options.out = Some(value()?.to_owned()),
                _ => return Err(format!("no option `{name}`\n\n{HELP}").into()),
            }
        }
        options.check()?;
        Ok(options)
    }

    fn check(&self) -> Result<()> {
        if self.rounds == 0 || !(self.measure > 0.0 && self.measure.is_finite()) {
            return Err("--rounds and --secs are above 0".into());
        }
        if self.anywhere && !self.cluster {
            return Err("--anywhere is for --cluster".into());
        }
        if self.plot.is_some() && self.cluster {
            return Err("--plot is not for --cluster".into());
        }
        if self.carrier != Carrier::Classic && !self.cluster {
            return Err("--carrier is for --cluster".into());
        }
        let of_cluster = |row: &String| cluster::ROWS.iter().any(|known| known.name == row);
        if let Some(row) = self.rows.iter().flatten().find(|row| of_cluster(row) != self.cluster) {
            let which = if self.cluster { "no row" } else { "a row" };
            return Err(format!("{row} is {which} of --cluster").into());
        }
        if self.protocols.is_empty() {
            return Err("--protocols names at least one".into());
        }
        for (at, (build, _)) in self.with.iter().enumerate() {
            let is_taken = RESERVED.contains(&build.as_str())
                || self.with[..at].iter().any(|(other, _)| other == build);
            if is_taken || build.is_empty() {
                return Err(format!("--with {build}=..: the name is taken").into());
            }
        }
        Ok(())
    }

    pub(crate) fn wants(&self, row: &str) -> bool {
        self.rows.as_ref().is_none_or(|rows| rows.iter().any(|name| name == row))
    }
}

/// How the messages of a cluster travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    Classic,
    Streams,
}

impl Carrier {
    fn named(name: &str) -> Result<Self> {
        match name {
            "classic" => Ok(Self::Classic),
            "streams" => Ok(Self::Streams),
            _ => Err(format!("no carrier {name}: classic, streams").into()),
        }
    }

    /// The name that the nodes know.
    pub(crate) fn argument(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Streams => "streams",
        }
    }
}

impl Peer {
    fn named(name: &str) -> Result<Self> {
        Ok(match name {
            "epoll" => Self::Epoll,
            "socketioxide" => Self::Socketioxide,
            "node4" => Self::Node4,
            "node2" => Self::Node2,
            "bun" => Self::Bun,
            _ => {
                let known = "epoll, socketioxide, node4, node2, bun";
                return Err(format!("no peer {name}: {known}").into());
            }
        })
    }

    pub(crate) fn is_node(self) -> bool {
        matches!(self, Self::Node4 | Self::Node2)
    }

    /// It is compiled while it runs.
    fn is_compiled_late(self) -> bool {
        self.is_node() || self == Self::Bun
    }
}

impl Protocol {
    fn named(name: &str) -> Result<Self> {
        Ok(match name {
            "eio4" => Self::Eio4,
            "eio3" => Self::Eio3,
            _ => return Err(format!("no protocol {name}: eio4, eio3").into()),
        })
    }

    /// The name that the load generator knows.
    pub(crate) fn argument(self) -> &'static str {
        match self {
            Self::Eio4 => "eio4",
            Self::Eio3 => "eio3",
            Self::Raw => "raw",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Eio4 => "EIO 4",
            Self::Eio3 => "EIO 3",
            Self::Raw => "raw",
        }
    }
}

fn rows(value: &str) -> Result<Vec<String>> {
    let known = || {
        let single = ROWS.iter().map(|row| row.name).chain(CHECKS.iter().map(|check| check.name));
        single.chain(cluster::ROWS.iter().map(|row| row.name))
    };
    each(value, |name| {
        if known().any(|known| known == name) {
            return Ok(name.to_owned());
        }
        let known: Vec<&str> = known().collect();
        Err(format!("no row {name}: {}", known.join(", ")).into())
    })
}

fn each<T>(value: &str, parse: impl Fn(&str) -> Result<T>) -> Result<Vec<T>> {
    value.split(',').filter(|name| !name.is_empty()).map(parse).collect()
}

fn command(name: &str, line: &str) -> Result<String> {
    if !line.contains("{port}") {
        return Err(format!("{name}: the command says where {{port}} goes").into());
    }
    Ok(line.to_owned())
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T> {
    value.parse().map_err(|_| format!("{name} {value}: no such number").into())
}

/// What servers that are always there are called.
const RESERVED: [&str; 9] =
    ["ours", "epoll", "mini", "hyper-lean", "hyper-poll", "socketioxide", "node4", "node2", "bun"];

pub(crate) const HELP: &str = "\
cargo xtask bench [OPTIONS]

  --quick            3 rounds of 1 s, under 10 minutes once all is built (the default)
  --full             5 rounds of 3 s, and Node in the rows of handshakes; with --cluster, the row of
                     9,500 members of each node
  --rows A,B         these rows alone
  --rounds N         how often each server is measured in turn
  --secs S           how long each of these measurements is
  --protocols A,B    of eio4,eio3: what the clients of our server speak (both)
  --peers A,B        of epoll,socketioxide,node4,node2,bun (all but epoll); what a row is judged by is
                     measured whatever is given here
  --no-node          without Node and Bun
  --cluster          two nodes over a Redis of its own, beside other servers with their adapters: what
                     a broadcast costs and how long it takes; 3 rounds of 3 s
  --carrier NAME     with --cluster: classic (the default) or streams, Redis pub/sub or Redis streams;
                     socketioxide has the former only
  --anywhere         with --cluster: nothing is pinned, and nodes on tokio have two workers
  --server COMMAND   our server, instead of building it
  --with NAME=COMMAND
                     another build of our server, in the same alternation; may be repeated.
                     In a COMMAND {port} is the port, {profile} the profile (bench/README.md),
                     and {redis} the URL of Redis
  --plot FILE        the rows as a picture (SVG)
  --out FILE         every measurement, a line of JSON each
";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options> {
        let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        Options::parse(&arguments)
    }

    #[test]
    fn quick_is_the_default() {
        assert_eq!(parse(&[]).unwrap(), parse(&["--quick"]).unwrap());
        assert_eq!(parse(&[]).unwrap().rounds, 3);
        assert!(parse(&[]).unwrap().wants("echo"));
    }

    #[test]
    fn what_is_given() {
        let options = parse(&["--rounds", "7", "--full", "--rows", "echo,fanout", "--no-node"]);
        let options = options.unwrap();
        assert_eq!((options.rounds, options.measure), (7, 3.0));
        assert!(options.wants("echo") && options.wants("fanout") && !options.wants("ack"));
        assert_eq!(options.peers, [Peer::Socketioxide]);

        let options = parse(&["--with", "old=./old --port {port}", "--protocols", "eio3"]).unwrap();
        assert_eq!(options.with, [("old".to_owned(), "./old --port {port}".to_owned())]);
        assert_eq!(options.protocols, [Protocol::Eio3]);
        assert_eq!(parse(&["--peers", ""]).unwrap().peers, []);
    }

    #[test]
    fn what_is_wrong() {
        #[track_caller]
        fn check(arguments: &[&str], expected: &str) {
            let problem = parse(arguments).unwrap_err().to_string();
            assert!(problem.starts_with(expected), "{problem}");
        }
        check(&["--rows", "eco"], "no row eco: echo, echo-x16, ");
        check(&["--rounds", "0"], "--rounds and --secs are above 0");
        check(&["--rounds", "many"], "--rounds many: no such number");
        check(&["--secs"], "--secs needs a value");
        check(&["--peers", "node5"], "no peer node5");
        check(&["--with", "old"], "--with needs NAME=COMMAND");
        check(&["--with", "old=./old"], "--with: the command says where {port} goes");
        check(&["--with", "ours=x {port}"], "--with ours=..: the name is taken");
        check(&["--protocols", ""], "--protocols names at least one");
        check(&["--fast"], "no option `--fast`");
        check(&["--anywhere"], "--anywhere is for --cluster");
        check(&["--carrier", "streams"], "--carrier is for --cluster");
        check(&["--cluster", "--carrier", "pigeon"], "no carrier pigeon");
        check(&["--rows", "one"], "one is a row of --cluster");
        check(&["--cluster", "--rows", "echo"], "echo is no row of --cluster");
    }
}
