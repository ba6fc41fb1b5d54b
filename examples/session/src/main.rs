//! A session cookie, set by a route and asked for by middleware, behind a reverse proxy that says
//! whom requests come from.
//!
//! `cargo run -p session-example`, then:
//!
//! ```text
//! curl -i -d alice localhost:3000/login
//! curl -b session=... 'localhost:3000/socket.io/?EIO=4&transport=polling'
//! ```
//!
//! Pages of this site connect with `io()` after the login; the browser sends the cookie by itself.
//! That is why the default of `origins` must not stay: other sites' pages would be let in with it.
//!
//! The proxy in front, on this machine, may be nginx with
//!
//! ```text
//! proxy_http_version 1.1;
//! proxy_set_header Host $host;
//! proxy_set_header Upgrade $http_upgrade;
//! proxy_set_header Connection $http_connection;
//! proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
//! proxy_set_header X-Forwarded-Proto $scheme;
//! ```

mod app;
mod sessions;
#[cfg(test)]
mod tests;

use std::time::Duration;

use socketio::BoxError;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let (io, service) = app::server()?;
    let listener = TcpListener::bind(("127.0.0.1", 3000)).await?;
    let attached = io.attach_service(listener, service)?;
    println!("listening on http://{}", attached.local_addr());
    tokio::signal::ctrl_c().await?;
    io.close().within(Duration::from_secs(5)).await;
    Ok(())
}
