//! A master, its replica, and a sentinel that makes the replica the master.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socketio_redis::{Builder, RedisAdapter, RedisConnectionInfo, RoomChannels, Sentinel, TlsMode};

use crate::redis::{Access, Ears, Node, Redis, eventually, within};

struct Watched {
    master: Redis,
    replica: Redis,
    sentinel: Redis,
    access: Access,
}

impl Watched {
    /// `silence`: after which the sentinel takes the master for dead.
    async fn start(silence: Duration) -> Option<Self> {
        Self::start_with(silence, Access::plain()).await
    }

    async fn start_with(silence: Duration, access: Access) -> Option<Self> {
        let more = || Arc::clone(&access.arguments);
        let quick = ["--repl-diskless-sync-delay", "0"].map(str::to_owned);
        let (quickly, secured) = (quick.to_vec(), more());
        let master =
            Redis::start_with(move |folder| [quickly.clone(), secured(folder)].concat()).await?;
        let of = ["--replicaof".to_owned(), format!("127.0.0.1 {}", access.port(&master))];
        let (quickly, secured) = ([quick, of].concat(), more());
        let replica =
            Redis::start_with(move |folder| [quickly.clone(), secured(folder)].concat()).await?;
        for server in [&master, &replica] {
            let user = ["ACL", "SETUSER", "bob", "on", ">secret", "allchannels", "+@all"];
            server.ask::<()>(&user).await;
        }
        eventually("the replica", async || {
            let info = replica.ask::<String>(&["INFO", "replication"]).await;
            info.contains("master_link_status:up")
        })
        .await;
        let (port, silence, secured) = (access.port(&master), silence.as_millis(), more());
        let sentinel = Redis::start_with(move |folder| {
            let file = folder.join("sentinel.conf");
            // it writes there, so each attempt begins with a new one
            let text = format!(
                "sentinel monitor the_master 127.0.0.1 {port} 1\n\
                 sentinel down-after-milliseconds the_master {silence}\n\
                 sentinel failover-timeout the_master 3000\n"
            );
            fs::write(&file, text).unwrap();
            let itself = vec![file.display().to_string(), "--sentinel".to_owned()];
            [itself, secured(folder)].concat()
        })
        .await?;
        Some(Self { master, replica, sentinel, access })
    }

    fn builder(&self, name: &str) -> Builder {
        // the first is not there
        let sentinels = self.access.urls(&self.sentinel);
        let settings = RedisConnectionInfo::default().set_username("bob").set_password("secret");
        let mut master = Sentinel::new(name, sentinels).servers(settings);
        if !self.access.is_plain() {
            master = master.tls(TlsMode::Secure);
        }
        let builder = RedisAdapter::sentinel(master).request_timeout(Duration::from_secs(1));
        (self.access.trust)(builder)
    }
}

/// How many connections of the adapters a server has.
async fn connections(redis: &Redis) -> usize {
    redis.ask::<String>(&["CLIENT", "LIST"]).await.matches(" user=bob ").count()
}

#[tokio::test]
async fn the_master_is_changed() {
    let Some(watched) = Watched::start(Duration::from_secs(60)).await else { return };
    follows(watched, async |watched| {
        let failover = ["SENTINEL", "FAILOVER", "the_master"];
        // it has to know the replica first
        eventually("the failover", async || {
            watched.sentinel.try_ask::<()>(&failover).await.is_ok()
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn the_master_is_killed() {
    let Some(watched) = Watched::start(Duration::from_secs(1)).await else { return };
    kill(watched).await;
}

/// The sentinel speaks TLS, too.
#[cfg(feature = "tls")]
#[tokio::test]
async fn the_master_is_killed_behind_tls() {
    let Some(access) = crate::tls::access().await else { return };
    let silence = Duration::from_secs(1);
    let Some(watched) = Watched::start_with(silence, access).await else { return };
    kill(watched).await;
}

async fn kill(watched: Watched) {
    follows(watched, async |watched| {
        eventually("the sentinel knows the replica", async || {
            let info = watched.sentinel.ask::<String>(&["INFO", "sentinel"]).await;
            info.contains("status=ok") && info.contains("slaves=1")
        })
        .await;
        watched.master.kill();
    })
    .await;
}

/// What is told arrives before and after the replica has become the master.
async fn follows(mut watched: Watched, change: impl AsyncFnOnce(&mut Watched)) {
    let classic = || watched.builder("the_master").key("classic");
    let sharded = || watched.builder("the_master").key("sharded").sharded(RoomChannels::Joined);
    let mut pairs = [
        (Node::new(classic()).await, Node::new(classic()).await),
        (Node::new(sharded()).await, Node::new(sharded()).await),
    ];
    let mut ears = Vec::new();
    for (_, hearing) in &mut pairs {
        let (client, socket) = hearing.client().await;
        within("the room", socket.join("room")).await.unwrap();
        ears.push(Ears::new(client, socket));
    }
    assert_eq!(connections(&watched.master).await, 8);
    let mut n = 0;
    for ((telling, _), ears) in pairs.iter().zip(&mut ears) {
        n += 1;
        telling.io.to("room").emit("n", n).unwrap();
        ears.until(n).await;
    }

    change(&mut watched).await;
    let replica = watched.access.port(&watched.replica);
    eventually("the new master", async || {
        let ask = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "the_master"];
        watched.sentinel.ask::<(String, u16)>(&ask).await.1 == replica
    })
    .await;
    let promoted = Instant::now();
    // the old one may still answer
    eventually("the connections", async || connections(&watched.replica).await == 8).await;
    for ((telling, hearing), ears) in pairs.iter().zip(&mut ears) {
        within("the connections", telling.redis.ready()).await;
        within("the connections", hearing.redis.ready()).await;
        eventually("a message", async || {
            n += 1;
            telling.io.to("room").emit("n", n).unwrap();
            ears.soon().await.is_some()
        })
        .await;
    }
    eprintln!("resumed after {:?}", promoted.elapsed());
    for (telling, _) in &pairs {
        eventually("both nodes answer", async || {
            let clients = telling.io.clients().await.unwrap();
            clients.is_complete() && clients.answered == 2 && clients.items.len() == 1
        })
        .await;
    }
}

/// While Redis is not to be found, a server's own clients are served.
#[tokio::test]
async fn no_such_master() {
    let Some(watched) = Watched::start(Duration::from_secs(60)).await else { return };
    let adapter = watched.builder("another").build().unwrap();
    eventually("an error", async || adapter.stats().errors > 0).await;
    assert!(!adapter.stats().is_ready);
    assert!(RedisAdapter::sentinel(Sentinel::new("a", ["mailto:redis"])).build().is_err());
    assert!(RedisAdapter::sentinel(Sentinel::new("a", [""; 0])).build().is_err());
}
