//! A plain WebSocket server on the codec of the Socket.IO server: it sends back what it gets.
//!
//! `cargo run -p ws-echo`, then in a browser's console:
//!
//! ```js
//! const socket = new WebSocket("ws://localhost:3000");
//! socket.onmessage = (event) => console.log(event.data);
//! socket.onopen = () => socket.send("hello");
//! ```
//!
//! `engineio-proto` does the handshake (`upgrade.rs`) and the frames (`echo.rs`); hyper reads the
//! request. It is also the server that `cargo xtask autobahn` tests. For the timeouts and limits
//! that a server on the open net needs see the crate `engineio`.

mod echo;
mod options;
#[cfg(test)]
mod tests;
mod upgrade;

use std::error::Error;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

use crate::options::Options;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_arguments(std::env::args().skip(1))?;
    let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // without it the kernel would hold small frames back for the sake of larger ones
                let _ = stream.set_nodelay(true);
                tokio::spawn(connection(stream, options));
            }
            Err(error) => {
                eprintln!("accept failed: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection until it ends, or becomes a WebSocket.
async fn connection<S>(stream: S, options: Options)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let connection = http1::Builder::new()
        // for the time that the head of a request may take
        .timer(TokioTimer::new())
        .serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| std::future::ready(upgrade::answer(request, options))),
        )
        .with_upgrades();
    // an error is the peer's: it went away, or sent what is no HTTP
    let _ = connection.await;
}

/// After an accept error, for lack of descriptors as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
