//! What is told of handlers and middleware that fail.

use socketio::events::{Extension, HandlerError};
use socketio::options::{AckErrors, TransportKind};
use socketio::{Auth, Data, Reply, Server, Socket, State, Value};
use testkit::Eio;

use crate::support::{Log, Peer, connector, leave_nothing};

#[test]
#[should_panic(
    expected = "the handler of \"connection\" asks for state of type alloc::string::String"
)]
fn state_that_nobody_gave_is_found_when_a_handler_is_registered() {
    Server::new().on_connection(|_: State<String>| ());
}

#[tokio::test(start_paused = true)]
async fn acknowledgements_say_what_the_option_says() {
    let own = |failed: &HandlerError<'_>| Some(Value::from(failed.as_invalid().is_some()));
    for (errors, told) in
        [(AckErrors::silent(), None), (AckErrors::with(own), Some(["430[true]", "431[false]"]))]
    {
        let io = Server::builder().ack_errors(errors).build().unwrap();
        let log = Log::default();
        let logged = log.clone();
        io.on_handler_error(move |failed| logged.add(failed.event()));
        io.on_connection(|socket: Socket| {
            socket.on("typed", |_: Data<u32>| ());
            socket.on("fails", || Err::<(), _>("secret"));
        });
        let mut peer = Peer::join(&connector(&io), Eio::V4).await;
        peer.send(r#"420["typed","x"]"#).await;
        peer.send(r#"421["fails"]"#).await;
        for answer in told.into_iter().flatten() {
            peer.expect(answer).await;
        }
        peer.silence().await;
        assert_eq!(log.take().await, ["typed", "fails"]);
        leave_nothing(&io, [peer]).await;
    }
}

#[derive(serde::Deserialize)]
struct Added {
    by: u32,
}

/// Middleware takes what handlers take, and what it puts in is there for them.
#[tokio::test(start_paused = true)]
async fn extractors_of_middleware_and_of_the_socket() {
    let io = Server::builder().with_state(7_u32).build().unwrap();
    io.use_fn(async |socket: Socket, State(n): State<u32>, auth: Option<Auth<Added>>| {
        socket.extensions().insert(n + auth.map_or(0, |Auth(auth)| auth.by));
        Ok::<_, std::convert::Infallible>(())
    });
    io.on_connection(|socket: Socket| {
        socket.on("sum", |Extension(n): Extension<u32>, transport: TransportKind, _: Server| {
            Reply((n, transport == TransportKind::WebSocket))
        });
        socket.on("none", |n: Option<State<String>>| Reply(n.is_none()));
    });
    let mut peer = Peer::open(&connector(&io), Eio::V4).await;
    peer.send(r#"40{"by":5}"#).await;
    peer.entered("/").await;
    peer.send(r#"420["sum"]"#).await;
    peer.expect("430[12,true]").await;
    peer.send(r#"421["none"]"#).await;
    peer.expect("431[true]").await;
    leave_nothing(&io, [peer]).await;
}
