//! JSON web tokens: middleware lets in who has one, and handlers ask for the user as an argument.
//!
//! `cargo run -p jwt-example` prints a token; a client uses it so:
//!
//! ```js
//! const socket = io("http://localhost:3000", { auth: { token } });
//! const name = await socket.emitWithAck("whoami");
//! ```
//!
//! Clients 1.x and 2.x know no `auth` and write `{ query: { token } }`. Queries end up in logs, so
//! that tokens of theirs should live for a short time only.
//!
//! The secret is that of the variable `JWT_SECRET`, or a new one at each start.
//!
//! A token is looked at once, when a socket joins: the connection outlives it. Where that matters,
//! disconnect sockets whose `Claims` are out of date.

mod app;
mod auth;
mod hs256;
#[cfg(test)]
mod tests;

use std::time::Duration;

use socketio::BoxError;

use crate::auth::{Claims, Keys};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let keys = match std::env::var("JWT_SECRET") {
        Ok(secret) => Keys::new(secret.as_bytes()),
        Err(_) => Keys::random()?,
    };
    println!("a token: {}", keys.issue(&Claims::new("alice", Duration::from_secs(60 * 60)))?);
    let io = app::server(keys);
    let attached = io.listen(("127.0.0.1", 3000)).await?;
    println!("listening on http://{}", attached.local_addr());
    tokio::signal::ctrl_c().await?;
    io.close().within(Duration::from_secs(5)).await;
    Ok(())
}
