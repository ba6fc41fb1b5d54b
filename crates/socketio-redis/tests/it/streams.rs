//! Two servers with Redis streams between them, and what happens to the streams.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use socketio::Namespace;
use socketio_redis::{Builder, Event, RedisAdapter, Streams};

use crate::redis::{Node, Redis, eventually, within};

fn builder(redis: &Redis, change: impl FnOnce(&mut Streams)) -> Builder {
    let mut streams = Streams::default();
    change(&mut streams);
    redis.builder().with_streams(streams)
}

async fn node(redis: &Redis) -> Node {
    redis.node(builder(redis, |_| {})).await
}

/// An entry as some server writes it.
async fn add(redis: &Redis, id: &str, fields: &[&str]) -> String {
    redis.ask(&[&["XADD", "socket.io", id], fields].concat()).await
}

fn number(n: u64) -> [String; 8] {
    let data = format!(
        r#"{{"packet":{{"type":2,"data":["n",{n}]}},"opts":{{"rooms":[],"except":[],"flags":{{}}}}}}"#
    );
    ["uid", "aaaaaaaaaaaaaaaa", "nsp", "/", "type", "3", "data", &data].map(str::to_owned)
}

async fn add_number(redis: &Redis, id: &str, n: u64) {
    let fields = number(n);
    add(redis, id, &fields.each_ref().map(String::as_str)).await;
}

#[tokio::test]
async fn broadcasts_and_queries() {
    let Some(redis) = Redis::start().await else { return };
    for (count, sharded) in [(1, false), (4, true)] {
        let streams = |streams: &mut Streams| {
            streams.name = format!("s{count}");
            (streams.count, streams.sharded_channels) = (count, sharded);
        };
        let key = format!("key{count}[*]?");
        let mut one = redis.node(builder(&redis, streams).key(&key)).await;
        let mut other = redis.node(builder(&redis, streams).key(&key)).await;
        let (mut ann, of_ann) = one.client().await;
        let (mut bob, of_bob) = other.client().await;
        of_bob.join("room").await.unwrap();
        of_ann.to("room").emit("to a room", 1).unwrap();
        bob.expect(r#"42["to a room",1]"#).await;
        of_bob.to(of_ann.id()).emit("to one", 2).unwrap();
        ann.expect(r#"42["to one",2]"#).await;
        other.io.emit("to all", 3).unwrap();
        for client in [&mut ann, &mut bob] {
            client.expect(r#"42["to all",3]"#).await;
        }
        let clients = one.io.clients().await.unwrap();
        assert!(clients.is_complete(), "{clients:?}");
        assert_eq!(clients.items, [of_ann.id(), of_bob.id()].map(Clone::clone));
        one.io.in_room(of_bob.id()).sockets_join("late").await.unwrap();
        eventually("the join", async || of_bob.rooms().len() == 3).await;
        // the hash of its name is negative
        let heard = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&heard);
        let of = |node: &Node| -> Namespace { node.io.of("/notifications") };
        of(&other)
            .on_server_event("note", async move |_| _ = counted.fetch_add(1, Ordering::SeqCst));
        let of_one = of(&one);
        for node in [&one, &other] {
            within("the subscriptions", node.redis.ready()).await;
        }
        of_one.server_side_emit("note", 1).await.unwrap();
        eventually("the event", async || heard.load(Ordering::SeqCst) == 1).await;
    }
}

#[tokio::test]
async fn an_emitter() {
    let Some(redis) = Redis::start().await else { return };
    let mut node = node(&redis).await;
    let (mut client, socket) = node.client().await;
    let heard = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&heard);
    node.io.on_server_event("note", async move |_| _ = counted.fetch_add(1, Ordering::SeqCst));
    let outside = builder(&redis, |_| {}).build().unwrap();
    let emitter = outside.emitter("/");
    emitter.to(socket.id()).emit("hello", 1).unwrap();
    emitter.server_side_emit("note", 1).unwrap();
    emitter.in_room(socket.id()).sockets_join("room").unwrap();
    within("the queue", outside.flushed()).await;
    client.expect(r#"42["hello",1]"#).await;
    eventually("the join", async || socket.rooms().len() == 2).await;
    eventually("the event", async || heard.load(Ordering::SeqCst) == 1).await;
    assert_eq!(redis.ask::<u64>(&["XLEN", "socket.io"]).await, 3);
}

/// Ten thousand messages in their order, none lost, none twice, and Redis is cut off now and then.
#[tokio::test]
async fn order() {
    let Some(redis) = Redis::start().await else { return };
    let one = node(&redis).await;
    let mut other = node(&redis).await;
    let (mut client, _socket) = other.client().await;
    let emitting = one.io.clone();
    let told = tokio::spawn(async move {
        for n in 0..10_000_u64 {
            emitting.emit("n", n).unwrap();
            if n % 100 == 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    for n in 0..10_000 {
        assert_eq!(client.number().await, n);
        if n % 2_500 == 1_000 {
            // the readers, not who writes
            let clients: String = redis.ask(&["CLIENT", "LIST"]).await;
            for line in clients.lines().filter(|line| line.contains("cmd=xread")) {
                let id = line.strip_prefix("id=").and_then(|rest| rest.split(' ').next()).unwrap();
                // it may be gone
                let _ = redis.try_ask::<u64>(&["CLIENT", "KILL", "ID", id]).await;
            }
        }
    }
    told.await.unwrap();
    within("the queue", one.redis.flushed()).await;
    let stats = one.redis.stats();
    assert_eq!((stats.published, stats.lost, stats.missed), (10_000, 0, 0), "{stats:?}");
    assert!(other.redis.stats().errors >= 1);
}

/// Redis keeps its data: what it has taken arrives, what it has not is counted, nothing comes twice.
#[tokio::test]
async fn redis_is_killed_and_comes_back() {
    let durable = |_: &std::path::Path| {
        ["--appendonly", "yes", "--appendfsync", "always"].map(str::to_owned).to_vec()
    };
    let Some(mut redis) = Redis::start_with(durable).await else { return };
    let mut one = node(&redis).await;
    let mut other = node(&redis).await;
    let (mut ann, _of_ann) = one.client().await;
    let (mut bob, _of_bob) = other.client().await;
    let mut sent = 0;
    for _ in 0..100 {
        one.io.emit("n", sent).unwrap();
        assert_eq!(ann.number().await, sent);
        sent += 1;
    }
    redis.kill();
    eventually("the loss", async || !one.redis.stats().is_ready).await;
    for _ in 0..100 {
        one.io.emit("n", sent).unwrap();
        // of this server's own at once
        assert_eq!(ann.number().await, sent);
        sent += 1;
    }
    redis.run().await;
    within("the connection", one.redis.ready()).await;
    within("the connection", other.redis.ready()).await;
    within("the queue", one.redis.flushed()).await;
    one.io.emit("n", sent).unwrap();
    let mut heard = Vec::new();
    while heard.last() != Some(&sent) {
        heard.push(bob.number().await);
    }
    assert!(heard.is_sorted() && heard.windows(2).all(|two| two[0] != two[1]), "{heard:?}");
    within("the queue", one.redis.flushed()).await;
    let lost = one.redis.stats().lost;
    let missing = sent + 1 - heard.len() as u64;
    assert!(missing <= lost, "{missing} did not come, {lost} are counted");
    assert_eq!(other.redis.stats().missed, 0);
}

#[tokio::test]
async fn entries_that_are_none_stop_nothing() {
    let Some(redis) = Redis::start().await else { return };
    let mut node = node(&redis).await;
    let (mut client, _socket) = node.client().await;
    let counted: &[&[&str]] = &[
        &["nsp", "/"],
        &["nsp", "/", "uid", "x"],
        &["uid", "x", "nsp", "/", "type", "three", "data", "{}"],
        &["uid", "x", "nsp", "/", "type", "3"],
        &["uid", "x", "nsp", "/", "type", "3", "data", "{"],
        &["uid", "x", "nsp", "/", "type", "3", "data", "%%%"],
        &["uid", "x", "nsp", "/", "type", "3", "data", "wQ=="],
    ];
    let ignored: &[&[&str]] = &[&["x", "y"], &["uid", "x", "nsp", "/other", "type", "3"]];
    for fields in counted.iter().chain(ignored) {
        add(&redis, "*", fields).await;
    }
    add_number(&redis, "*", 7).await;
    assert_eq!(client.number().await, 7);
    assert_eq!(node.redis.stats().malformed, counted.len() as u64);
}

/// What is left comes in order, and what is not is counted, exactly.
#[tokio::test]
async fn what_was_trimmed_unread_is_counted() {
    let Some(redis) = Redis::start().await else { return };
    let told = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&told);
    let counting = builder(&redis, |_| {}).on_event(move |event| {
        if let Event::Missed(entries) = event {
            counted.fetch_add(*entries, Ordering::SeqCst);
        }
    });
    let mut node = redis.node(counting).await;
    let (mut client, _socket) = node.client().await;
    add_number(&redis, "*", 0).await;
    assert_eq!(client.number().await, 0);
    // in one transaction: nobody reads in between
    let script = "for n = 1, 500 do redis.call('XADD', KEYS[1], '*', 'uid', 'a', 'nsp', '/', 'type', '3', \
                  'data', '{\"packet\":{\"type\":2,\"data\":[\"n\",' .. n .. ']},\"opts\":{\"rooms\":[],\
                  \"except\":[],\"flags\":{}}}') end redis.call('XTRIM', KEYS[1], 'MAXLEN', 100) return 1";
    redis.ask::<u64>(&["EVAL", script, "1", "socket.io"]).await;
    for n in 401..=500 {
        assert_eq!(client.number().await, n);
    }
    eventually("the gap", async || node.redis.stats().missed == 400).await;
    assert_eq!(told.load(Ordering::SeqCst), 400);
}

/// As after `FLUSHALL`, or a failover to a server whose clock is behind.
#[tokio::test]
async fn streams_that_begin_anew() {
    let Some(redis) = Redis::start().await else { return };
    let mut node = node(&redis).await;
    let (mut client, _socket) = node.client().await;
    add_number(&redis, "5000-0", 0).await;
    assert_eq!(client.number().await, 0);
    // with larger offsets: nobody notices
    redis.ask::<String>(&["FLUSHALL"]).await;
    add_number(&redis, "6000-0", 1).await;
    assert_eq!(client.number().await, 1);
    // with smaller ones
    redis.ask::<u64>(&["DEL", "socket.io"]).await;
    for n in 2..5 {
        add_number(&redis, &format!("100-{n}"), n).await;
    }
    for n in 2..5 {
        assert_eq!(client.number().await, n);
    }
    assert!(node.redis.stats().missed >= 1);
    add_number(&redis, "*", 5).await;
    assert_eq!(client.number().await, 5);
}

/// Something else has the name of the stream for a while.
#[tokio::test]
async fn a_stream_that_is_none() {
    let Some(redis) = Redis::start().await else { return };
    let mut node = node(&redis).await;
    let (mut client, _socket) = node.client().await;
    add_number(&redis, "*", 0).await;
    assert_eq!(client.number().await, 0);
    redis.ask::<u64>(&["DEL", "socket.io"]).await;
    redis.ask::<String>(&["SET", "socket.io", "something else"]).await;
    eventually("an error", async || node.redis.stats().errors >= 2).await;
    node.io.emit("n", 1).unwrap();
    assert_eq!(client.number().await, 1);
    eventually("the loss", async || node.redis.stats().lost == 1).await;
    redis.ask::<u64>(&["DEL", "socket.io"]).await;
    within("the stream", node.redis.ready()).await;
    add_number(&redis, "*", 2).await;
    assert_eq!(client.number().await, 2);
    // far less than it would if it tried again at once
    assert!(node.redis.stats().errors < 100, "{:?}", node.redis.stats());
}

/// The stream stays short, by number or by age.
#[tokio::test]
async fn streams_are_trimmed() {
    let Some(redis) = Redis::start().await else { return };
    for age in [None, Some(Duration::from_millis(1))] {
        let name = format!("{age:?}");
        let streams = |streams: &mut Streams| {
            streams.name.clone_from(&name);
            (streams.max_len, streams.max_age) = (200, age);
        };
        let node = redis.node(builder(&redis, streams)).await;
        for n in 0..2_000 {
            node.io.emit("n", n).unwrap();
        }
        within("the queue", node.redis.flushed()).await;
        // entries of one millisecond are in one node of the tree
        node.io.emit("n", 0).unwrap();
        within("the queue", node.redis.flushed()).await;
        let length = redis.ask::<u64>(&["XLEN", &name]).await;
        assert!((1..=400).contains(&length), "{length}");
    }
}

#[tokio::test]
async fn options_that_make_no_sense() {
    let changes: [fn(&mut Streams); 5] = [
        |streams| streams.count = 0,
        |streams| streams.count = 1_000,
        |streams| streams.max_len = 0,
        |streams| streams.max_age = Some(Duration::ZERO),
        |streams| streams.read_count = 0,
    ];
    for change in changes {
        let mut streams = Streams::default();
        change(&mut streams);
        let built = RedisAdapter::builder("redis://127.0.0.1:1").with_streams(streams).build();
        assert!(built.is_err());
    }
    let cluster = RedisAdapter::cluster(["redis://127.0.0.1:1"]).with_streams(Streams::default());
    assert!(cluster.build().is_err());
}
