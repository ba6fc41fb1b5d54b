//! The accept loop: hyper's own HTTP/1 server for each connection, until the end.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socketio::Server;
use socketio::serve::RemoteAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower_service::Service as _;

/// How long clients may take to leave.
const PATIENCE: Duration = Duration::from_secs(5);

/// After an accept error, for lack of descriptors as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves what the listener accepts until `end`; then closes the server, and gives its clients time
/// to leave.
pub(crate) async fn serve(io: &Server, listener: TcpListener, end: impl Future<Output = ()>) {
    let finish = watch::Sender::new(false);
    let mut connections = JoinSet::new();
    let end = async {
        end.await;
        // Clients first, while connections are still taken: one that polls may need a new one to
        // learn of the end. Handshakes are refused from here on.
        io.close().within(PATIENCE).await;
    };
    let mut end = pin!(end);
    loop {
        tokio::select! {
            () = &mut end => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connection(io.clone(), stream, peer, finish.subscribe()));
                }
                Err(error) => {
                    eprintln!("accept failed: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            // those that ended are forgotten
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    finish.send_replace(true);
    while connections.join_next().await.is_some() {}
}

/// Serves one connection until it ends, or becomes a WebSocket.
async fn connection(
    io: Server,
    stream: TcpStream,
    peer: SocketAddr,
    mut finish: watch::Receiver<bool>,
) {
    // without it the kernel would hold small packets back for the sake of larger ones
    let _ = stream.set_nodelay(true);
    let service = io.service();
    let service = service_fn(move |mut request: Request<Incoming>| {
        // handlers see it as `socket.handshake().address()`
        request.extensions_mut().insert(RemoteAddr(peer));
        service.clone().call(request)
    });
    let connection = http1::Builder::new()
        // for the time that the head of a request may take
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        // an error is the peer's: it went away, or sent what is no HTTP
        _ = connection.as_mut() => return,
        _ = finish.wait_for(|finish| *finish) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
