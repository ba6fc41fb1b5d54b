//! Clients come back to their sessions on other servers, over Redis streams.

use std::time::Duration;

use socketio::options::ConnectionStateRecovery;
use socketio::serve::Request;
use socketio::{Binary, Server, Socket, Value};
use socketio_redis::Streams;
use testkit::{Frame, WebSocket};

use crate::redis::{Node, Redis, eventually, within};

async fn node(redis: &Redis) -> Node {
    node_with(redis, |_| {}).await
}

async fn node_with(redis: &Redis, change: impl FnOnce(&mut ConnectionStateRecovery)) -> Node {
    let mut recovery = ConnectionStateRecovery::default();
    change(&mut recovery);
    let server = Server::builder().connection_state_recovery(recovery);
    let mut streams = Streams::default();
    // busy machines answer late
    streams.patience = Duration::from_secs(5);
    Node::of(redis.builder().with_streams(streams), server).await
}

/// A client with what the server told it.
struct Phone {
    ws: WebSocket,
    sid: String,
    pid: String,
    /// What came before that.
    missed: Vec<String>,
}

impl Phone {
    async fn connect(node: &Node, auth: &str) -> Self {
        let mut ws = node.connection().await;
        ws.send_text(&format!("40{auth}")).await;
        let mut missed = Vec::new();
        loop {
            let text = next(&mut ws).await;
            let Some(answer) = text.strip_prefix("40") else {
                missed.push(text);
                continue;
            };
            let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
            let text = |name: &str| answer[name].as_str().expect("a text").to_owned();
            return Self { ws, sid: text("sid"), pid: text("pid"), missed };
        }
    }

    /// The next event without its offset, and that.
    async fn event(&mut self) -> (String, String) {
        split(&next(&mut self.ws).await)
    }

    fn auth(&self, offset: Option<&str>) -> String {
        let offset = offset.map(|offset| format!(r#","offset":"{offset}""#)).unwrap_or_default();
        format!(r#"{{"pid":"{}"{offset}}}"#, self.pid)
    }
}

/// The next text, or the length of bytes.
async fn next(ws: &mut WebSocket) -> String {
    loop {
        match within("a packet", ws.next()).await {
            Frame::Text(text) if text == "2" => ws.send_text("3").await,
            Frame::Text(text) => return text,
            Frame::Binary(bytes) => return format!("{} bytes", bytes.len()),
            other => panic!("{other:?}"),
        }
    }
}

fn split(packet: &str) -> (String, String) {
    let (event, offset) = packet.rsplit_once(",\"").unwrap_or_else(|| panic!("{packet}"));
    let offset = offset.strip_suffix("\"]").unwrap_or_else(|| panic!("{packet}"));
    let is_offset = offset.split_once('-').is_some_and(|(one, other)| {
        [one, other].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    });
    assert!(is_offset, "{packet}");
    (event.to_owned(), offset.to_owned())
}

async fn session(redis: &Redis, pid: &str) -> Option<String> {
    redis.ask(&["GET", &format!("sio:session:{pid}")]).await
}

/// Breaks the connection of a client, and waits until its session is where others find it.
async fn leave(phone: Phone, node: &Node, socket: &Socket) {
    drop(phone);
    eventually("the end", async || !socket.is_connected()).await;
    within("the session", node.redis.flushed()).await;
}

#[tokio::test]
async fn a_client_goes_on_at_another_server() {
    let Some(redis) = Redis::start().await else { return };
    let mut one = node(&redis).await;
    let mut other = node(&redis).await;
    let mut ann = Phone::connect(&one, "").await;
    let of_ann = one.socket().await;
    of_ann.join("room").await.unwrap();
    of_ann.set_data("eve").unwrap();
    other.io.to("room").emit("n", 1).unwrap();
    let (event, offset) = ann.event().await;
    assert_eq!(event, r#"42["n",1"#);
    let (sid, pid, auth) = (ann.sid.clone(), ann.pid.clone(), ann.auth(Some(&offset)));
    leave(ann, &one, &of_ann).await;
    // from both, to the rooms, to all, to it alone; and some that are not for it
    other.io.to("room").emit("n", 2).unwrap();
    one.io.emit("n", (3, "tail")).unwrap();
    other.io.to("elsewhere").emit("n", 0).unwrap();
    other.io.except("room").emit("n", 0).unwrap();
    other.io.volatile().emit("n", 0).unwrap();
    other.io.to(sid.as_str()).emit("n", Binary(vec![9].into())).unwrap();
    eventually("the entries", async || redis.ask::<u64>(&["XLEN", "socket.io"]).await >= 7).await;
    let mut ann = Phone::connect(&other, &auth).await;
    assert_eq!((&ann.sid, &ann.pid), (&sid, &pid));
    let events: Vec<_> =
        ann.missed.iter().filter(|text| text.starts_with('4')).map(|text| split(text).0).collect();
    assert_eq!(
        events,
        [r#"42["n",2"#, r#"42["n",3,"tail""#, r#"451-["n",{"_placeholder":true,"num":0}"#]
    );
    let of_ann: Socket = other.socket().await;
    assert!(of_ann.recovered());
    assert_eq!(of_ann.data::<String>().as_deref(), Some("eve"));
    assert_eq!(of_ann.rooms().len(), 2);
    one.io.to("room").emit("n", 4).unwrap();
    assert_eq!(ann.event().await.0, r#"42["n",4"#);
    // used once
    eventually("the entry", async || redis.ask::<u64>(&["XLEN", "socket.io"]).await >= 8).await;
    let again = Phone::connect(&one, &auth.replace(&pid, "another")).await;
    assert_ne!(again.sid, sid);
}

/// Its connection is still there, as nobody has told: it is ended, on its server, and the client goes on.
#[tokio::test]
async fn the_old_connection_is_elsewhere() {
    let Some(redis) = Redis::start().await else { return };
    let mut one = node(&redis).await;
    let mut other = node(&redis).await;
    let mut ann = Phone::connect(&one, "").await;
    let of_ann = one.socket().await;
    other.io.emit("n", 1).unwrap();
    let (_, offset) = ann.event().await;
    other.io.emit("n", 2).unwrap();
    ann.event().await;
    eventually("the session", async || session(&redis, &ann.pid).await.is_some()).await;
    let mut back = Phone::connect(&other, &ann.auth(Some(&offset))).await;
    assert_eq!((&back.sid, &back.pid), (&ann.sid, &ann.pid));
    assert_eq!(split(&back.missed[0]).0, r#"42["n",2"#);
    assert_eq!(back.missed.len(), 1);
    eventually("the end of the old one", async || !of_ann.is_connected()).await;
    one.io.emit("n", 3).unwrap();
    assert_eq!(back.event().await.0, r#"42["n",3"#);
    // the old owner has not touched the session
    eventually("the session", async || session(&redis, &back.pid).await.is_some()).await;
    assert!(other.socket().await.recovered());
}

/// Nothing came yet: what came since the client came in.
#[tokio::test]
async fn without_an_offset() {
    let Some(redis) = Redis::start().await else { return };
    let mut one = node(&redis).await;
    let other = node(&redis).await;
    other.io.emit("n", 0).unwrap();
    eventually("the entry", async || redis.ask::<u64>(&["XLEN", "socket.io"]).await == 1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let ann = Phone::connect(&one, "").await;
    let (sid, auth) = (ann.sid.clone(), ann.auth(None));
    let of_ann = one.socket().await;
    leave(ann, &one, &of_ann).await;
    other.io.emit("n", 1).unwrap();
    eventually("the entry", async || redis.ask::<u64>(&["XLEN", "socket.io"]).await == 2).await;
    let ann = Phone::connect(&other, &auth).await;
    assert_eq!((ann.sid, ann.missed.len()), (sid, 1));
}

#[tokio::test]
async fn sessions_that_are_not_given_back() {
    let Some(redis) = Redis::start().await else { return };
    let bound = |recovery: &mut ConnectionStateRecovery| {
        *recovery = std::mem::take(recovery).bind_to(|_: &Request, auth: &Value| {
            auth.get("user").and_then(Value::as_str).unwrap_or_default().to_owned()
        });
    };
    let mut one = node_with(&redis, bound).await;
    let other = node_with(&redis, bound).await;
    let mut ann = Phone::connect(&one, r#"{"user":"ann"}"#).await;
    other.io.emit("n", 1).unwrap();
    let (_, offset) = ann.event().await;
    let (sid, pid) = (ann.sid.clone(), ann.pid.clone());
    let auth = |user: &str, pid: &str, offset: &str| {
        format!(r#"{{"user":"{user}","pid":"{pid}","offset":"{offset}"}}"#)
    };
    let of_ann = one.socket().await;
    leave(ann, &one, &of_ann).await;
    let long = "x".repeat(65);
    for auth in [
        auth("bob", &pid, &offset),
        auth("ann", "nobody", &offset),
        auth("ann", &long, &offset),
        auth("ann", &pid, "99999999999999-0"),
        auth("ann", &pid, "no offset"),
        auth("ann", &pid, "99999999999999999999999-0"),
    ] {
        let fresh = Phone::connect(&other, &auth).await;
        assert!(fresh.sid != sid && fresh.missed.is_empty(), "{auth}");
    }
    // in another namespace
    let _chat = other.io.of("/chat");
    let mut ws = other.connection().await;
    ws.send_text(&format!("40/chat,{}", auth("ann", &pid, &offset))).await;
    assert!(!next(&mut ws).await.contains(&sid));
    // all of that has changed nothing
    let ann = Phone::connect(&other, &auth("ann", &pid, &offset)).await;
    assert_eq!(ann.sid, sid);
    // values that are none
    for value in ["", "x", "wQ==", "gA=="] {
        redis.ask::<String>(&["SET", "sio:session:odd", value]).await;
        let fresh = Phone::connect(&other, &auth("ann", "odd", &offset)).await;
        assert!(fresh.missed.is_empty());
    }
}

/// What was said without Redis goes to this server's clients soon, without an offset, and to them not again
/// when Redis is back.
#[tokio::test]
async fn redis_is_silent() {
    let Some(redis) = Redis::start().await else { return };
    let recovery = ConnectionStateRecovery::default();
    let server = Server::builder().connection_state_recovery(recovery);
    let one = Node::of(redis.builder().with_streams(Streams::default()), server).await;
    let other = node(&redis).await;
    let mut ann = Phone::connect(&one, "").await;
    let mut bob = Phone::connect(&other, "").await;
    one.io.emit("n", 1).unwrap();
    next(&mut ann.ws).await;
    bob.event().await;
    redis.hang();
    one.io.emit("n", 2).unwrap();
    assert_eq!(next(&mut ann.ws).await, r#"42["n",2]"#);
    redis.go_on();
    assert_eq!(bob.event().await.0, r#"42["n",2"#);
    within("the connection", one.redis.ready()).await;
    one.io.emit("n", 3).unwrap();
    assert!(next(&mut ann.ws).await.starts_with(r#"42["n",3"#));
    assert_eq!(bob.event().await.0, r#"42["n",3"#);
}

/// The server ends, and its client goes on elsewhere.
#[tokio::test]
async fn a_server_closes() {
    let Some(redis) = Redis::start().await else { return };
    let one = node(&redis).await;
    let other = node(&redis).await;
    let mut ann = Phone::connect(&one, "").await;
    other.io.emit("n", 1).unwrap();
    let (_, offset) = ann.event().await;
    let auth = ann.auth(Some(&offset));
    let closing = one.io.close();
    within("the end", async { closing.within(Duration::from_secs(2)).await }).await;
    within("the session", one.redis.flushed()).await;
    other.io.emit("n", 2).unwrap();
    let back = Phone::connect(&other, &auth).await;
    assert_eq!((back.sid, back.missed.len()), (ann.sid, 1));
}

/// Orders of two servers are one, and offsets grow.
#[tokio::test]
async fn one_order() {
    let Some(redis) = Redis::start().await else { return };
    let one = node(&redis).await;
    let other = node(&redis).await;
    let mut ann = Phone::connect(&one, "").await;
    let mut bob = Phone::connect(&other, "").await;
    let emitting = [one.io.clone(), other.io.clone()].map(|io| {
        tokio::spawn(async move {
            for n in 0..200 {
                io.emit("n", n).unwrap();
                if n % 5 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        })
    });
    let (mut of_ann, mut of_bob) = (Vec::new(), Vec::new());
    for _ in 0..400 {
        // on a busy machine one may not have come back in time
        of_ann.extend(offset_of(&next(&mut ann.ws).await));
        of_bob.extend(offset_of(&next(&mut bob.ws).await));
    }
    for offsets in [&of_ann, &of_bob] {
        assert!(offsets.len() >= 200 && offsets.windows(2).all(|two| two[0] < two[1]));
    }
    for task in emitting {
        task.await.unwrap();
    }
}

fn offset_of(packet: &str) -> Option<(u64, u64)> {
    let (one, other) = packet.rsplit_once(",\"")?.1.strip_suffix("\"]")?.split_once('-')?;
    Some((one.parse().ok()?, other.parse().ok()?))
}
