//! Where contracts are served: namespaces, those of a rule, several at once.

use serde_json::json;
use socketio::{Server, Socket};
use socketio_contract::contract;
use socketio_testkit::Client;

use crate::wire::connector;

/// The first version.
#[contract(namespace = "/notes", version = "1.0.0")]
pub(crate) mod notes_v1 {
    pub(crate) trait FromClient {
        #[event("note")]
        fn note(&self, text: String) -> usize;
    }
}

/// The second, whose event has one argument more.
#[contract(namespace = "/notes/v2", version = "2.0.0")]
pub(crate) mod notes_v2 {
    pub(crate) trait FromClient {
        #[event("note")]
        fn note(&self, text: String, is_public: bool) -> usize;
        #[event("clear")]
        fn clear(&self) -> ();
    }
    pub(crate) trait ToClient {
        #[event("cleared")]
        fn cleared(by: Option<&str>, pages: &[u32]);
        #[event("sure?")]
        async fn sure() -> Result<bool, String>;
        #[event("seen")]
        async fn seen();
    }
}

/// One type may speak several versions.
struct Notes;

impl notes_v1::FromClient for Notes {
    fn note(&self, text: String) -> usize {
        text.len()
    }
}

impl notes_v2::FromClient for Notes {
    fn note(&self, text: String, is_public: bool) -> usize {
        if is_public { text.len() } else { 0 }
    }
    fn clear(&self) {}
}

#[tokio::test(start_paused = true)]
async fn versions_side_by_side() {
    let io = Server::new();
    let _ = notes_v1::serve(&io, Notes);
    let _ = notes_v2::serve(&io, Notes);
    let server = connector(&io);
    let mut old = Client::builder().namespace("/notes").connect(&server).await.unwrap();
    assert_eq!(old.emit_with_ack("note", json!(["four"])).await, [json!(4)]);
    let mut new = Client::builder().namespace("/notes/v2").connect(&server).await.unwrap();
    assert_eq!(new.emit_with_ack("note", json!(["four", false])).await, [json!(0)]);
    assert_eq!(new.emit_with_ack("clear", json!([])).await, Vec::<serde_json::Value>::new());
}

#[tokio::test(start_paused = true)]
async fn two_contracts_in_one_namespace() {
    let io = Server::new();
    let namespace = io.of("/all");
    let _ = crate::chat::chat::serve(&namespace, crate::chat::Lobby);
    let _ = notes_v2::serve(&namespace, Notes);
    let client = Client::builder().namespace("/all").connect(&connector(&io)).await;
    let mut client = client.unwrap();
    assert_eq!(client.emit_with_ack("note", json!(["four", true])).await, [json!(4)]);
    let welcome = client.emit_with_ack("add user", json!(["ann"])).await;
    assert_eq!(welcome[0]["ok"], true);
}

#[tokio::test(start_paused = true)]
async fn namespaces_of_a_rule() {
    let io = Server::new();
    let _ = notes_v1::serve(&io.of_matching("/tenant-*"), Notes);
    let client = Client::builder().namespace("/tenant-7").connect(&connector(&io)).await;
    let mut client = client.unwrap();
    assert_eq!(client.emit_with_ack("note", json!(["four"])).await, [json!(4)]);
}

#[tokio::test(start_paused = true)]
async fn acknowledgements_of_clients() {
    let io = Server::new();
    let (sender, mut sockets) = tokio::sync::mpsc::unbounded_channel();
    io.on_connection(move |socket: Socket| drop(sender.send(socket)));
    let server = connector(&io);
    let (mut ann, mut bob) = (Client::connect(&server).await, Client::connect(&server).await);
    let socket = sockets.recv().await.unwrap();
    let ask = async || notes_v2::to(&socket).sure().await;
    let cases = [
        (json!([{ "ok": true, "value": true }]), Some(Ok(true))),
        (json!([{ "error": "no", "ok": false }]), Some(Err("no".to_owned()))),
        (json!([{ "ok": true }]), None),
        (json!([]), None),
    ];
    for (answer, expected) in cases {
        let (heard, answer) = (ask(), async {
            let event = ann.next_event().await;
            assert_eq!(event.name, "sure?");
            ann.reply(&event, answer).await;
        });
        let (heard, ()) = tokio::join!(heard, answer);
        assert_eq!(heard.ok(), expected);
    }
    let everybody = async {
        let within = notes_v2::within(&io, std::time::Duration::from_secs(1));
        within.seen().await.expect("it can be sent")
    };
    let answers = async {
        for client in [&mut ann, &mut bob] {
            let event = client.next_event().await;
            client.reply(&event, json!([])).await;
        }
    };
    let (everybody, ()) = tokio::join!(everybody, answers);
    assert!(everybody.is_complete());
    assert_eq!(everybody.into_answers().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn all_targets_are_told() {
    let io = Server::new();
    io.on_connection(|socket: Socket| {
        drop(socket.join("room"));
        let everybody = socket.namespace().clone();
        let _ = notes_v2::to(&socket).cleared(Some("socket"), &[1]);
        let _ = notes_v2::to(socket.volatile()).cleared(None, &[]);
        let _ = notes_v2::to(everybody.to("room")).cleared(Some("room"), &[]);
        let _ = notes_v2::to(everybody).cleared(Some("namespace"), &[]);
    });
    let mut client = Client::connect(&connector(&io)).await;
    let _ = notes_v2::to(&io).cleared(Some("server"), &[]);
    for socket in io.sockets().fetch_sockets().await.unwrap().items {
        let _ = notes_v2::to(socket).cleared(Some("remote"), &[]);
    }
    let mut heard = Vec::new();
    for _ in 0..6 {
        heard.push(client.next_event().await.args);
    }
    let by: Vec<_> = heard.iter().map(|args| args[0].as_str().unwrap_or("nobody")).collect();
    assert_eq!(by, ["socket", "nobody", "room", "namespace", "server", "remote"]);
    assert_eq!(heard[0][1], json!([1]));
}
