//! Builds the servers, and says who takes part in a row.

use std::path::PathBuf;

use super::options::{Options, Peer, Protocol};
use super::rows::{Bar, Row};
use crate::command::{Result, cargo, release_binary, root, run};
use crate::setup;

/// The commands of all servers that were wanted and are there.
pub(crate) struct Servers {
    /// Ours first, then other builds of it.
    builds: Vec<(String, String)>,
    peers: Vec<Peer>,
    protocols: Vec<Protocol>,
    is_node_warm: bool,
}

/// One who takes part in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) protocol: Protocol,
    pub(crate) command: String,
}

impl Servers {
    /// Builds and installs what is not there.
    pub(crate) fn prepare(options: &Options, rows: &[&Row]) -> Result<Self> {
        let ours = match &options.server {
            Some(command) => command.clone(),
            None => {
                run(cargo().args(["build", "--release", "--package", "conformance-server"]))?;
                let program = release_binary("conformance-server")?;
                format!("'{}' --port {{port}} --profile {{profile}}", program.display())
            }
        };
        let mut builds = vec![(OURS.to_owned(), ours)];
        builds.extend(options.with.iter().cloned());

        build("sioload")?;
        if rows.iter().any(|row| row.floor.is_some()) {
            build("floors")?;
        }
        let mut peers = options.peers.clone();
        let is_bar = |row: &&Row| row.has(Bar::Socketioxide);
        if !rows.is_empty() && peers.contains(&Peer::Socketioxide) || rows.iter().any(is_bar) {
            build("peer-socketioxide")?;
        }
        if !rows.is_empty() && peers.iter().any(|peer| peer.is_node()) {
            if let Err(problem) = setup::bench() {
                println!("bench: no rows of Node: {problem}");
                peers.retain(|peer| !peer.is_node());
            }
        }
        if !rows.is_empty() && peers.contains(&Peer::Bun) {
            if let Err(problem) = setup::bench_bun() {
                println!("bench: no rows of Bun: {problem}");
                peers.retain(|peer| *peer != Peer::Bun);
            }
        }
        Ok(Self {
            builds,
            peers,
            protocols: options.protocols.clone(),
            is_node_warm: options.warm_node.is_some(),
        })
    }

    /// Our server and other builds of it.
    pub(crate) fn builds(&self) -> &[(String, String)] {
        &self.builds
    }

    /// In the order in which they are measured: those that are compared are neighbours.
    pub(crate) fn contenders(&self, row: &Row) -> Vec<Contender> {
        let mut contenders = Vec::new();
        let mut add = |name: &str, protocol, command: String| {
            contenders.push(Contender { name: name.to_owned(), protocol, command });
        };
        if let Some(floor) = row.floor {
            // The floor of polling speaks enough of Engine.IO 4 for its one scenario.
            let protocol = if floor == "hyper-poll" { Protocol::Eio4 } else { Protocol::Raw };
            add(
                floor,
                protocol,
                format!("'{}' {floor} {{port}}", bench_binary("floors").display()),
            );
        }
        for (name, command) in &self.builds {
            // A build with one profile serves the rows of that one.
            if row.profile != "bench" && !command.contains("{profile}") {
                continue;
            }
            for &protocol in &self.protocols {
                add(name, protocol, command.clone());
            }
        }
        let socketioxide = format!("'{}' {{port}}", bench_binary("peer-socketioxide").display());
        if row.has(Bar::Socketioxide) {
            for &protocol in &self.protocols {
                add("socketioxide", protocol, socketioxide.clone());
            }
        } else if self.peers.contains(&Peer::Socketioxide) && !row.has(Bar::Node4) {
            add("socketioxide", Protocol::Eio4, socketioxide);
        }
        if self.peers.contains(&Peer::Epoll) && row.floor == Some("mini") {
            let floors = bench_binary("floors");
            add("epoll", Protocol::Raw, format!("'{}' epoll {{port}}", floors.display()));
        }
        if row.has(Bar::Node4) && self.peers.contains(&Peer::Node4) {
            let script = root().join("bench/node4/server.js");
            add("node4", Protocol::Eio4, format!("node '{}' {{port}} deflate", script.display()));
        }
        // A server that is still compiled while it is measured would be done wrong.
        if row.profile == "bench" && (self.is_node_warm || !row.is_handshake) {
            for (peer, name, protocol) in
                [(Peer::Node4, "node4", Protocol::Eio4), (Peer::Node2, "node2", Protocol::Eio3)]
            {
                if self.peers.contains(&peer) {
                    let script = root().join("bench").join(name).join("server.js");
                    add(name, protocol, format!("node '{}' {{port}}", script.display()));
                }
            }
            if self.peers.contains(&Peer::Bun) {
                let folder = root().join("bench/bun");
                let (bun, script) = (setup::bun(), folder.join("server.js"));
                let command = format!("'{}' '{}' {{port}}", bun.display(), script.display());
                add("bun", Protocol::Eio4, command);
            }
        }
        contenders
    }
}

/// The programs of `bench/` are a workspace of their own, with a target folder of its own.
pub(crate) fn bench_binary(name: &str) -> PathBuf {
    root().join("target/bench/release").join(name)
}

/// One at a time: built together, they would share the features of their dependencies.
pub(super) fn build(package: &str) -> Result<()> {
    run(cargo()
        .args(["build", "--release", "--locked", "--package", package])
        .current_dir(root().join("bench")))
}

pub(crate) const OURS: &str = "ours";
