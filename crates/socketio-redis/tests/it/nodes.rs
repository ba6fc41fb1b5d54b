//! Two servers with Redis between them.

use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use socketio_redis::{Dialect, RedisAdapter, RoomChannels};

use crate::redis::{Redis, eventually, within};

#[tokio::test]
async fn broadcasts_and_queries() {
    let Some(redis) = Redis::start().await else { return };
    let formats: [fn(_) -> _; 4] = [
        |builder: socketio_redis::Builder| builder,
        |builder| builder.dialect(Dialect::Old),
        |builder| builder.dialect(Dialect::Mixed),
        |builder| builder.sharded(RoomChannels::All),
    ];
    for (key, format) in formats.into_iter().enumerate() {
        let key = format!("key{key}[*]?");
        let mut one = redis.node(format(redis.builder().key(&key))).await;
        let mut other = redis.node(format(redis.builder().key(&key))).await;
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
        let in_room = one.io.to("room").clients().await.unwrap();
        assert_eq!(in_room.items, [of_bob.id().clone()]);
    }
}

/// From a program that is no server and ends at once.
#[tokio::test]
async fn an_emitter() {
    let Some(redis) = Redis::start().await else { return };
    let mut node = redis.node(redis.builder()).await;
    let (mut client, socket) = node.client().await;
    let outside = redis.builder().build().unwrap();
    outside.emitter("/").to(socket.id()).emit("hello", 1).unwrap();
    within("the queue", outside.flushed()).await;
    client.expect(r#"42["hello",1]"#).await;
    assert_eq!((outside.stats().published, outside.stats().queued), (1, 0));
    outside.emitter("/").in_room(socket.id()).sockets_join("room").unwrap();
    eventually("the join", async || socket.rooms().len() == 2).await;
}

/// Ten thousand messages in their order, none lost, none twice.
#[tokio::test]
async fn order() {
    let Some(redis) = Redis::start().await else { return };
    for sharded in [false, true] {
        let builder = || match sharded {
            false => redis.builder().key("classic"),
            true => redis.builder().key("sharded").sharded(RoomChannels::Joined),
        };
        let one = redis.node(builder()).await;
        let mut other = redis.node(builder()).await;
        let (mut client, socket) = other.client().await;
        socket.join("room").await.unwrap();
        let emitting = one.io.to("room");
        tokio::spawn(async move {
            for n in 0..10_000_u64 {
                emitting.emit("n", n).unwrap();
                if n % 100 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        });
        for n in 0..10_000 {
            assert_eq!(client.number().await, n);
        }
        // the last arrives before Redis has confirmed it
        within("the queue", one.redis.flushed()).await;
        let stats = one.redis.stats();
        assert_eq!((stats.published, stats.lost), (10_000, 0));
    }
}

/// Who joins a room that is just being listened to waits for it as well.
#[tokio::test]
async fn two_join_at_once() {
    let Some(redis) = Redis::start().await else { return };
    let builder = redis.builder().sharded(RoomChannels::Joined);
    let mut node = redis.node(builder).await;
    let (_ann, of_ann) = node.client().await;
    let (_bob, of_bob) = node.client().await;
    for socket in [&of_ann, &of_bob] {
        assert!(is_to_be_waited_for(socket.join("room")).await);
    }
    within("the room", of_bob.join("room")).await.unwrap();
    eventually("a room that is listened to", async || {
        !is_to_be_waited_for(of_ann.join("room")).await
    })
    .await;
}

async fn is_to_be_waited_for(mut work: impl Future + Unpin) -> bool {
    std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut work).poll(cx).is_pending())).await
}

/// What a server that is gone listened to is listened to no more, and it is not waited for.
#[tokio::test]
async fn a_server_that_ends() {
    let Some(redis) = Redis::start().await else { return };
    let one = redis.node(redis.builder()).await;
    let other = redis.node(redis.builder()).await;
    assert_eq!(one.io.clients().await.unwrap().answered, 2);
    drop(other);
    eventually("one node", async || one.io.clients().await.unwrap().answered == 1).await;
}

#[tokio::test]
async fn an_address_that_is_none() {
    assert!(RedisAdapter::builder("mailto:redis").build().is_err());
    // nobody is there: it is built all the same, and never ready
    let adapter = RedisAdapter::builder("redis://127.0.0.1:1").build().unwrap();
    let ready = tokio::time::timeout(Duration::from_millis(50), adapter.ready()).await;
    assert!(ready.is_err());
    assert!(!adapter.stats().is_ready);
    eventually("an error", async || adapter.stats().errors > 0).await;
}
