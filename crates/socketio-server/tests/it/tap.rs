//! One place that is told of everything, and packets whose JSON is there already.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engineio::{CloseReason, TransportKind};
use socketio::events::DisconnectReason;
use socketio::events::embed::{JsonArray, RawArgs, Tap};
use socketio::{Client, ConnectError, Server, Socket};
use testkit::{Eio, settle};

use crate::support::{BOTH, Log, Peer, SECOND, connector, nothing_left};

/// Notes down all that it is told, and answers what asks for it with what came.
#[derive(Clone, Default)]
struct Notes {
    log: Log,
    holds: Arc<AtomicBool>,
}

impl Tap for Notes {
    fn opened(&self, client: &Client) {
        assert!(client.sockets().is_empty());
        self.log.add("opened");
    }

    fn upgraded(&self, _: &Client, transport: TransportKind) {
        self.log.add(format!("upgraded {}", transport.as_str()));
    }

    fn closed(&self, _: &Client, reason: CloseReason) {
        self.log.add(format!("closed {}", reason.as_str()));
    }

    fn credit(&self, _: &Client) -> bool {
        !self.holds.load(Ordering::Relaxed)
    }

    fn connected(&self, socket: &Socket) {
        socket.set_tag(socket.tag() + 7);
        self.log.add(format!("connected {} {}", socket.namespace().name(), socket.is_connected()));
    }

    fn not_connected(&self, socket: &Socket) {
        self.log.add(format!("not connected {}", socket.namespace().name()));
    }

    fn event(&self, socket: &Socket, name: &str, ack: Option<u64>, args: &RawArgs<'_>) {
        let (json, attachments) = args.as_json().expect("as it came");
        self.log.add(format!("{} {name} {ack:?} {json} {}", socket.tag(), attachments.len()));
        assert!(name != "panic", "as it is asked to");
        if let Some(id) = ack {
            let values = JsonArray::new(format!("[{json}]"), attachments.to_vec());
            socket.ack_json(id, &values).unwrap();
        }
    }

    fn acknowledged(&self, _: &Socket, id: u64, args: &RawArgs<'_>) {
        self.log.add(format!("acknowledged {id} {:?}", args.to_values()));
    }

    fn disconnecting(&self, socket: &Socket, reason: DisconnectReason) {
        self.log.add(format!("disconnecting {} {reason}", socket.rooms().len()));
    }

    fn error(&self, _: &Socket, error: &(dyn Error + Send + Sync)) {
        self.log.add(format!("error {error}"));
    }
}

fn tapped() -> (Server, Notes) {
    let notes = Notes::default();
    let io = Server::builder().tap(notes.clone()).build().unwrap();
    (io, notes)
}

#[tokio::test(start_paused = true)]
async fn a_tap_is_told_of_everything_in_place_of_listeners() {
    for eio in BOTH {
        let (io, notes) = tapped();
        let heard = Log::default();
        let listener = heard.clone();
        io.on_connection(async move |socket: Socket| {
            socket.join("a").await.unwrap();
            socket.on("news", move || listener.add("a listener"));
        });
        let server = connector(&io);
        let mut peer = Peer::join(&server, eio).await;
        peer.send(r#"421["ask", 1.50 ,"x"]"#).await;
        peer.expect(r#"431[1.50 ,"x"]"#).await;
        peer.send(r#"42["news"]"#).await;
        peer.send(r#"451-["bytes",{"_placeholder":true,"num":0}]"#).await;
        peer.send_binary(b"b").await;
        peer.send("435[true]").await;
        settle().await;
        peer.send("41").await;
        settle().await;
        let expected = [
            "opened",
            "connected / true",
            r#"7 ask Some(1) 1.50 ,"x" 0"#,
            "7 news None  0",
            r#"7 bytes None {"_placeholder":true,"num":0} 1"#,
            "acknowledged 5 [Bool(true)]",
            "disconnecting 2 client namespace disconnect",
        ];
        assert_eq!(notes.log.take().await, expected);
        assert!(heard.take().await.is_empty());
        drop(peer);
        nothing_left(&io).await;
    }
}

#[tokio::test(start_paused = true)]
async fn json_is_sent_as_it_is() {
    for eio in BOTH {
        let (io, _) = tapped();
        let server = connector(&io);
        let mut peer = Peer::join(&server, eio).await;
        let socket = io.sockets().connected().iter().next().unwrap();
        let event = JsonArray::new(r#"["a",{"z":1.0,"a":1}]"#, Vec::new());
        socket.emit_json(None, &event).unwrap();
        peer.expect(r#"42["a",{"z":1.0,"a":1}]"#).await;
        socket.emit_json(Some(9), &event).unwrap();
        peer.expect(r#"429["a",{"z":1.0,"a":1}]"#).await;
        io.sockets().to("nobody").emit_json(None, &event).unwrap();
        let to_all = io.sockets().compress(true);
        assert_eq!(to_all.local_sockets().len(), 1);
        to_all.emit_json(None, &event).unwrap();
        peer.expect(r#"42["a",{"z":1.0,"a":1}]"#).await;
        to_all.emit_json(Some(3), &event).unwrap();
        peer.expect(r#"423["a",{"z":1.0,"a":1}]"#).await;
        let bytes = JsonArray::new(r#"[{"_placeholder":true,"num":0}]"#, vec!["x".into()]);
        socket.ack_json(4, &bytes).unwrap();
        peer.expect(r#"461-4[{"_placeholder":true,"num":0}]"#).await;
    }
}

/// Clients of 3.x and later would take the packet for the end of the socket.
#[tokio::test(start_paused = true)]
async fn an_error_packet_is_for_clients_of_old() {
    let (io, _) = tapped();
    let server = connector(&io);
    let mut old = Peer::join(&server, Eio::V3).await;
    let mut new = Peer::join(&server, Eio::V4).await;
    for socket in io.sockets().connected().iter() {
        socket.emit_error(&"no".into()).unwrap();
        socket.emit_json(None, &JsonArray::new(r#"["after"]"#, Vec::new())).unwrap();
    }
    old.expect(r#"44"no""#).await;
    old.expect(r#"42["after"]"#).await;
    new.expect(r#"42["after"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn without_credit_a_connection_is_not_read() {
    let (io, notes) = tapped();
    let server = connector(&io);
    let mut peer = Peer::join(&server, Eio::V4).await;
    notes.holds.store(true, Ordering::Relaxed);
    peer.send(r#"42["one"]"#).await;
    peer.send(r#"42["two"]"#).await;
    tokio::time::sleep(SECOND).await;
    assert_eq!(notes.log.take().await, ["opened", "connected / true"]);
    notes.holds.store(false, Ordering::Relaxed);
    io.sockets().connected().iter().for_each(|socket| socket.conn().wake());
    settle().await;
    assert_eq!(notes.log.take().await, ["7 one None  0", "7 two None  0"]);
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_was_not_connected() {
    let (io, notes) = tapped();
    io.use_fn(async || -> Result<(), ConnectError> {
        tokio::time::sleep(Duration::from_secs(5)).await;
        Ok(())
    });
    let server = connector(&io);
    let mut peer = Peer::open(&server, Eio::V4).await;
    peer.send("40").await;
    settle().await;
    peer.send("41").await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(notes.log.take().await, ["opened", "not connected /"]);
}

#[tokio::test(start_paused = true)]
async fn errors_are_told_and_a_panic_ends_its_connection_alone() {
    let (io, notes) = tapped();
    let server = connector(&io);
    let mut witness = Peer::join(&server, Eio::V4).await;
    let mut bad = Peer::join(&server, Eio::V4).await;
    let mut worse = Peer::join(&server, Eio::V4).await;
    bad.send("45no").await;
    settle().await;
    worse.send(r#"42["panic"]"#).await;
    settle().await;
    let told = notes.log.take().await;
    let expected = [
        "error Illegal attachments",
        "disconnecting 1 forced close",
        "closed forced close",
        "7 panic None  0",
        "disconnecting 1 forced server close",
        "closed forced server close",
    ];
    assert_eq!(told[6..], expected);
    witness.send(r#"421["ask"]"#).await;
    witness.expect("431[]").await;
}
