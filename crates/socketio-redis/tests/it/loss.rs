//! Redis goes and comes back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use socketio_redis::{Event, RoomChannels};

use crate::redis::{Redis, eventually, within};

/// This server's clients are served meanwhile, the others soon after Redis is back.
#[tokio::test]
async fn redis_is_killed_and_comes_back() {
    let Some(mut redis) = Redis::start().await else { return };
    for sharded in [false, true] {
        let builder = || match sharded {
            false => redis.builder(),
            true => redis.builder().sharded(RoomChannels::Joined),
        };
        let events: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = Arc::clone(&events);
        let on_event = move |event: &Event| {
            let name = match event {
                Event::Ready => "ready".to_owned(),
                Event::Lost(count) => format!("lost {count}"),
                _ => "disconnected".to_owned(),
            };
            let mut events = told.lock().unwrap();
            if events.last() != Some(&name) {
                events.push(name);
            }
        };
        let mut one = redis.node(builder().publish_queue(20, 10_000).on_event(on_event)).await;
        let mut other = redis.node(builder()).await;
        let (mut ann, of_ann) = one.client().await;
        let (mut bob, of_bob) = other.client().await;
        for socket in [&of_ann, &of_bob] {
            within("the room", socket.join("room")).await.unwrap();
        }
        one.io.to("room").emit("n", 0).unwrap();
        assert_eq!((ann.number().await, bob.number().await), (0, 0));
        // it arrives before Redis has confirmed it
        within("the queue", one.redis.flushed()).await;

        redis.kill();
        eventually("the loss", async || !one.redis.stats().is_ready).await;
        eventually("the loss", async || !other.redis.stats().is_ready).await;
        for n in 1..=30 {
            one.io.to("room").emit("n", n).unwrap();
            assert_eq!(ann.number().await, n);
        }
        // a join does not wait for Redis
        within("the join", of_bob.join("late")).await.unwrap();
        let clients = within("what is known", one.io.clients()).await.unwrap();
        assert_eq!((clients.items.len(), clients.missing.len()), (1, 1));
        let stats = one.redis.stats();
        assert_eq!((stats.queued, stats.lost), (20, 10));

        redis.run().await;
        let back = Instant::now();
        within("the connection", one.redis.ready()).await;
        within("the connection", other.redis.ready()).await;
        // half a second lies between two attempts at most; the rest is for a busy machine
        assert!(back.elapsed() < Duration::from_secs(10), "after {:?}", back.elapsed());
        within("the queue", one.redis.flushed()).await;
        // rooms joined meanwhile are listened to
        one.io.to("late").emit("n", 99).unwrap();
        loop {
            // what waited comes if the other was there before it went out; never twice
            let n = bob.number().await;
            if n == 99 {
                break;
            }
            assert!((1..=20).contains(&n), "{n}");
        }
        within("the queue", one.redis.flushed()).await;
        let stats = one.redis.stats();
        assert_eq!(stats.published + stats.lost, 32, "{stats:?}");
        assert_eq!(stats.lost, 10);
        assert!(stats.errors >= 2, "{stats:?}");
        let events = events.lock().unwrap().clone();
        assert_eq!(events[0], "ready");
        assert!(events.contains(&"lost 1".to_owned()), "{events:?}");
        assert_eq!(events.last().map(String::as_str), Some("ready"));
        let clients = one.io.clients().await.unwrap();
        assert!(clients.is_complete() && clients.items.len() == 2, "{clients:?}");
    }
}

/// Its end is no reason to wait for Redis.
#[tokio::test]
async fn the_last_handle_goes_while_redis_is_away() {
    let Some(mut redis) = Redis::start().await else { return };
    let lost = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&lost);
    let builder = redis.builder().on_event(move |event| {
        if let Event::Lost(count) = event {
            counted.fetch_add(*count, Ordering::Relaxed);
        }
    });
    let node = redis.node(builder).await;
    redis.kill();
    eventually("the loss", async || !node.redis.stats().is_ready).await;
    node.io.emit("n", 0).unwrap();
    assert_eq!(node.redis.stats().queued, 1);
    drop(node);
    eventually("the count", async || lost.load(Ordering::Relaxed) == 1).await;
}

/// Rooms come and go while Redis is silent: what waits for it is bounded, and what is listened to
/// afterwards is what it should be.
#[tokio::test]
async fn subscriptions_of_a_redis_that_is_silent_are_bounded() {
    let Some(redis) = Redis::start().await else { return };
    let sharded = || redis.builder().sharded(RoomChannels::Joined);
    let mut one = redis.node(sharded().subscription_queue(20)).await;
    let other = redis.node(sharded()).await;
    let (mut ann, of_ann) = one.client().await;
    redis.hang();
    for n in 0..200 {
        drop(of_ann.join(format!("{n}")));
        drop(of_ann.leave(format!("{n}")));
    }
    // by then the queue is full, and what is joined is not told to this connection
    eventually("the bound", async || one.redis.stats().resubscribed == 1).await;
    drop(of_ann.join("room"));
    assert!(!one.redis.stats().is_ready);
    redis.go_on();
    within("the subscriptions", one.redis.ready()).await;
    within("the subscriptions", other.redis.ready()).await;
    let stats = one.redis.stats();
    assert_eq!(stats.resubscribed, 1, "{stats:?}");
    other.io.to("room").emit("n", 7).unwrap();
    assert_eq!(ann.number().await, 7);
}

/// Who is told what happens may panic: that ends nothing.
#[tokio::test]
async fn whoever_is_told_panics() {
    let Some(redis) = Redis::start().await else { return };
    let told = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&told);
    let mut one = redis
        .node(redis.builder().publish_queue(0, 0).on_event(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            panic!("on purpose");
        }))
        .await;
    let other = redis.node(redis.builder()).await;
    let (mut ann, _of_ann) = one.client().await;
    one.io.emit("n", 1).unwrap();
    other.io.emit("n", 2).unwrap();
    assert_eq!((ann.number().await, ann.number().await), (1, 2));
    assert!(told.load(Ordering::Relaxed) >= 2);
}
