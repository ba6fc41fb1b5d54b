//! A Redis Cluster: three masters, one of them with a replica.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socketio_redis::{Builder, Dialect, RedisAdapter, RoomChannels};

use crate::redis::{Access, Ears, Node, Redis, eventually, free_port, within};

/// The last of the nodes is the replica of the first, if there are four.
struct Cluster {
    nodes: Vec<Redis>,
    access: Access,
}

impl Cluster {
    async fn start(count: usize) -> Option<Self> {
        Self::start_with(count, Access::plain()).await
    }

    async fn start_with(count: usize, access: Access) -> Option<Self> {
        let mut nodes = Vec::new();
        for _ in 0..count {
            let more = Arc::clone(&access.arguments);
            let node = Redis::start_with(move |folder| {
                // not that of the commands and 10,000 more, which may not be one
                let bus = free_port().to_string();
                fs::write(folder.join("bus"), &bus).unwrap();
                let timeout = NODE_TIMEOUT.as_millis().to_string();
                [
                    ["--cluster-enabled", "yes"],
                    ["--cluster-port", &bus],
                    ["--cluster-node-timeout", &timeout],
                    ["--cluster-replica-validity-factor", "0"],
                    ["--repl-diskless-sync-delay", "0"],
                ]
                .concat()
                .into_iter()
                .map(str::to_owned)
                .chain(more(folder))
                .collect()
            });
            nodes.push(node.await?);
        }
        let slots = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
        for (at, (first, last)) in slots.into_iter().enumerate() {
            let node: &Redis = &nodes[at];
            let epoch = (at + 1).to_string();
            node.ask::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await;
            node.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", first, last]).await;
        }
        let cluster = Self { nodes, access };
        let all = format!("cluster_known_nodes:{count}\r\n");
        let begin = Instant::now();
        while !cluster.knows(&all).await {
            assert!(begin.elapsed() < LIMIT, "the nodes do not meet");
            // again, as a handshake may come to nothing on a busy machine
            cluster.meet().await;
            let again = Instant::now() + 2 * NODE_TIMEOUT;
            while Instant::now() < again && !cluster.knows(&all).await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        if let Some(replica) = cluster.nodes.get(3) {
            let of = cluster.id(0).await;
            replica.ask::<()>(&["CLUSTER", "REPLICATE", &of]).await;
            eventually("the replica", async || {
                let info = replica.ask::<String>(&["INFO", "replication"]).await;
                info.contains("master_link_status:up")
            })
            .await;
            for node in &cluster.nodes {
                eventually("all know the replica", async || {
                    node.ask::<String>(&["CLUSTER", "NODES"]).await.contains(&format!(" {of} "))
                })
                .await;
            }
        }
        Some(cluster)
    }

    /// The cluster works, and all nodes think so.
    async fn knows(&self, all: &str) -> bool {
        for node in &self.nodes {
            let info = node.ask::<String>(&["CLUSTER", "INFO"]).await;
            if !info.contains("cluster_state:ok") || !info.contains(all) {
                return false;
            }
        }
        true
    }

    /// From now on no link between the nodes is given up because one was slow.
    ///
    /// What is on the way over a link that is given up is lost, and Redis gives one up after half of
    /// the timeout that failovers are tested with. A busy machine stands still for that long.
    async fn no_failover(&self) {
        for node in &self.nodes {
            node.ask::<()>(&["CONFIG", "SET", "cluster-node-timeout", "60000"]).await;
        }
        for node in &self.nodes {
            eventually("all links", async || {
                !node.ask::<String>(&["CLUSTER", "NODES"]).await.contains("disconnected")
            })
            .await;
        }
    }

    async fn meet(&self) {
        for node in &self.nodes[1..] {
            let port = self.access.port(node).to_string();
            let bus: String = fs::read_to_string(node.folder.join("bus")).unwrap();
            self.nodes[0].ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]).await;
        }
    }

    /// Which of the first three has a channel, before anything moved.
    async fn owner(&self, channel: &str) -> usize {
        let slot: usize = self.nodes[0].ask(&["CLUSTER", "KEYSLOT", channel]).await;
        slot.saturating_sub(1) * 3 / 16_384
    }

    async fn id(&self, at: usize) -> String {
        self.nodes[at].ask(&["CLUSTER", "MYID"]).await
    }

    /// Knows one of the nodes.
    fn builder(&self, at: usize) -> Builder {
        let builder = RedisAdapter::cluster(self.access.urls(&self.nodes[at]));
        (self.access.trust)(builder).request_timeout(Duration::from_secs(1))
    }

    /// Two servers, and a client of the second in many rooms, whose slots are of all masters.
    async fn pair(&self, format: impl Fn(Builder) -> Builder) -> Pair {
        let telling = Node::new(format(self.builder(0))).await;
        let mut hearing = Node::new(format(self.builder(1))).await;
        let (client, socket) = hearing.client().await;
        within("the rooms", socket.join(ROOMS)).await.unwrap();
        Pair { telling, hearing, ears: Ears::new(client, socket), n: 0 }
    }
}

struct Pair {
    telling: Node,
    hearing: Node,
    ears: Ears,
    n: u64,
}

impl Pair {
    fn tell(&mut self, room: &'static str) -> u64 {
        self.n += 1;
        self.telling.io.to(room).emit("n", self.n).unwrap();
        self.n
    }

    /// Tells until it is heard.
    async fn resumes(&mut self, room: &'static str) {
        let begin = Instant::now();
        let first = self.n + 1;
        loop {
            assert!(begin.elapsed() < LIMIT, "{room}: nothing is heard");
            self.tell(room);
            // what is told before does not count
            if self.ears.soon().await.is_some_and(|n| n >= first) {
                return;
            }
        }
    }

    /// All is heard of all rooms, and all nodes are known.
    async fn works(&mut self) {
        within("the connections", self.telling.redis.ready()).await;
        within("the connections", self.hearing.redis.ready()).await;
        for room in ROOMS {
            self.resumes(room).await;
        }
        let begin = Instant::now();
        let mut missing = ROOMS.to_vec();
        while !missing.is_empty() {
            assert!(begin.elapsed() < LIMIT, "not heard: {missing:?}");
            // again, as a link between masters that is given up takes along what is on its way
            let mut told: Vec<_> =
                missing.into_iter().map(|room| (room, self.tell(room))).collect();
            let again = Instant::now() + NODE_TIMEOUT;
            while !told.is_empty() && Instant::now() < again {
                if let Some(heard) = self.ears.soon().await {
                    told.retain(|(_, n)| *n != heard);
                }
            }
            missing = told.into_iter().map(|(room, _)| room).collect();
        }
        eventually("all nodes answer", async || {
            let clients = self.telling.io.clients().await.unwrap();
            assert!(clients.answered <= 2, "{clients:?}");
            clients.is_complete() && clients.answered == 2 && clients.items.len() == 1
        })
        .await;
    }
}

fn classic(builder: Builder) -> Builder {
    builder.key("classic")
}

fn sharded(builder: Builder) -> Builder {
    builder.key("sharded").sharded(RoomChannels::Joined)
}

#[tokio::test]
async fn broadcasts_and_queries() {
    let Some(cluster) = Cluster::start(3).await else { return };
    cluster.no_failover().await;
    let formats: [fn(Builder) -> Builder; 4] = [
        classic,
        |builder| builder.dialect(Dialect::Old),
        |builder| builder.dialect(Dialect::Mixed),
        sharded,
    ];
    for (key, format) in formats.into_iter().enumerate() {
        let key = format!("key{key}");
        // so that they are connected to different masters, whatever their formats
        let mut nodes = Vec::new();
        for at in [0, 1, 2, 0, 1] {
            nodes.push(Node::new(format(cluster.builder(at)).key(&key)).await);
        }
        let (mut ann, of_ann) = nodes[0].client().await;
        let (mut bob, of_bob) = nodes[1].client().await;
        within("the room", of_bob.join("room")).await.unwrap();
        of_ann.to("room").emit("to a room", 1).unwrap();
        bob.expect(r#"42["to a room",1]"#).await;
        of_bob.to(of_ann.id()).emit("to one", 2).unwrap();
        ann.expect(r#"42["to one",2]"#).await;
        nodes[2].io.emit("to all", 3).unwrap();
        for client in [&mut ann, &mut bob] {
            client.expect(r#"42["to all",3]"#).await;
        }
        for node in &nodes {
            eventually("all nodes answer", async || {
                let clients = node.io.clients().await.unwrap();
                assert!(clients.answered <= 5, "{clients:?}");
                clients.is_complete() && clients.answered == 5 && clients.items.len() == 2
            })
            .await;
        }
        eventually("the client in the room", async || {
            let in_room = nodes[4].io.to("room").clients().await.unwrap();
            in_room.items == [of_bob.id().clone()]
        })
        .await;
        // nobody waits for who has gone
        nodes.truncate(2);
        eventually("two nodes", async || nodes[0].io.clients().await.unwrap().answered == 2).await;
    }
}

#[tokio::test]
async fn a_replica_takes_the_place_of_a_master_that_is_killed() {
    let Some(cluster) = Cluster::start(4).await else { return };
    replaces(cluster, |master| master.kill()).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_replica_takes_the_place_of_a_master_that_hangs() {
    let Some(cluster) = Cluster::start(4).await else { return };
    replaces(cluster, |master| master.hang()).await;
}

/// Nodes that speak TLS with everybody, and among themselves.
#[cfg(feature = "tls")]
#[tokio::test]
async fn a_master_is_replaced_behind_tls() {
    let Some(access) = crate::tls::access().await else { return };
    let Some(cluster) = Cluster::start_with(4, access).await else { return };
    replaces(cluster, |master| master.kill()).await;
}

async fn replaces(mut cluster: Cluster, end: fn(&mut Redis)) {
    let mut pairs = [cluster.pair(classic).await, cluster.pair(sharded).await];
    for pair in &mut pairs {
        pair.works().await;
    }
    end(&mut cluster.nodes[0]);
    // served as ever
    for pair in &mut pairs {
        let n = pair.tell("not a room of anybody");
        pair.hearing.io.emit("n", n).unwrap();
        pair.ears.until(n).await;
    }
    let replica = &cluster.nodes[3];
    eventually("the replica is master", async || {
        replica.ask::<String>(&["INFO", "replication"]).await.contains("role:master")
    })
    .await;
    let promoted = Instant::now();
    for pair in &mut pairs {
        for room in ROOMS {
            pair.resumes(room).await;
        }
        eprintln!("resumed after {:?}", promoted.elapsed());
    }
    for pair in &mut pairs {
        pair.works().await;
        let stats = pair.telling.redis.stats();
        assert_eq!(stats.queued, 0, "{stats:?}");
    }
}

/// What is for a master that is away waits, and holds up nobody else.
#[tokio::test]
async fn a_master_is_killed_and_comes_back() {
    let Some(mut cluster) = Cluster::start(3).await else { return };
    let mut pairs = [cluster.pair(classic).await, cluster.pair(sharded).await];
    for pair in &mut pairs {
        pair.works().await;
    }
    cluster.nodes[1].kill();
    eventually("the loss", async || !pairs[1].telling.redis.stats().is_ready).await;
    for room in ROOMS {
        pairs[0].resumes(room).await;
        match cluster.owner(&format!("sharded#/#{room}#")).await {
            1 => drop(pairs[1].tell(room)),
            _ => pairs[1].resumes(room).await,
        }
    }
    assert!(pairs[1].telling.redis.stats().queued > 0);
    cluster.nodes[1].run().await;
    let back = Instant::now();
    for pair in &mut pairs {
        within("the connections", pair.telling.redis.ready()).await;
        within("the connections", pair.hearing.redis.ready()).await;
        eprintln!("ready after {:?}", back.elapsed());
        pair.works().await;
        within("the queue", pair.telling.redis.flushed()).await;
    }
}

/// One slot goes from master to master, and messages of its channel with it.
#[tokio::test]
async fn a_slot_moves() {
    let Some(cluster) = Cluster::start(3).await else { return };
    let mut pair = cluster.pair(sharded).await;
    pair.works().await;
    // that of a room, and that by which nodes are counted
    for (round, channel) in ["sharded#/#r3#", "sharded#/#"].into_iter().enumerate() {
        let slot: String =
            cluster.nodes[0].ask::<u16>(&["CLUSTER", "KEYSLOT", channel]).await.to_string();
        let from = cluster.owner(channel).await;
        let to = (from + 1) % 3;
        // in the order of redis-cli
        let id = cluster.id(from).await;
        cluster.nodes[to].ask::<()>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &id]).await;
        let id = cluster.id(to).await;
        cluster.nodes[from].ask::<()>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &id]).await;
        for at in [to, from, 3 - from - to] {
            let command = ["CLUSTER", "SETSLOT", &slot, "NODE", &id];
            cluster.nodes[at].ask::<()>(&command).await;
            pair.tell("r3");
        }
        let moved = Instant::now();
        pair.resumes("r3").await;
        eprintln!("round {round}: resumed after {:?}", moved.elapsed());
        pair.works().await;
    }
    let stats = pair.telling.redis.stats();
    assert_eq!((stats.lost, stats.queued), (0, 0), "{stats:?}");
}

#[tokio::test]
async fn addresses_that_are_none() {
    for seeds in [&[][..], &["mailto:redis"], &["redis://127.0.0.1/1"], &["unix:///tmp/a"]] {
        assert!(RedisAdapter::cluster(seeds.iter().copied()).build().is_err(), "{seeds:?}");
    }
    // nobody is there; or somebody who is no cluster
    let alone = Redis::start().await;
    let url = alone.as_ref().map_or_else(|| "redis://127.0.0.1:1".to_owned(), Redis::url);
    let adapter = RedisAdapter::cluster([url]).build().unwrap();
    eventually("an error", async || adapter.stats().errors > 0).await;
    assert!(!adapter.stats().is_ready);
    adapter.emitter("/").emit("hello", 1).unwrap();
    assert_eq!(adapter.stats().queued, 1);
}

/// Channels of which belong to all three masters, with the key `sharded`.
const ROOMS: [&str; 10] = ["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9"];

/// After it a silent node is taken for dead.
const NODE_TIMEOUT: Duration = Duration::from_millis(1_000);

const LIMIT: Duration = Duration::from_secs(10);
