//! The chat on two nodes with Redis between them: open both pages, and the people of one see those of
//! the other. `cargo run -p cluster` starts a Redis of its own; `--redis URL` takes one that is
//! there, and so other nodes in other processes, in Rust or Node. `--carrier streams` has the messages
//! travel over Redis streams: then a page whose node ends comes back to its session on the other.
//!
//! The page is that of `examples/chat`. The difference lies in `chat.rs`: who is in a room is asked
//! of the cluster, instead of being kept in the memory of one process.

#![expect(clippy::needless_pass_by_value, reason = "handlers own their arguments")]

mod chat;
#[path = "../../chat/src/page.rs"]
mod page;

use std::process::Stdio;
use std::time::Duration;

use socketio::options::ConnectionStateRecovery;
use socketio::{BoxError, Server};
use socketio_redis::{Event, RedisAdapter};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mut url, mut carrier) = (None, Carrier::Redis);
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(option) = arguments.next() {
        match (option, arguments.next()) {
            ("--redis", Some(at)) => url = Some(at.to_owned()),
            ("--carrier", Some("redis")) => carrier = Carrier::Redis,
            ("--carrier", Some("streams")) => carrier = Carrier::Streams,
            _ => return Err("usage: cluster [--carrier redis|streams] [--redis URL]".into()),
        }
    }
    let (url, _redis) = match url {
        Some(url) => (url, None),
        None => {
            let (url, child) = start_redis().await?;
            (url, Some(child))
        }
    };
    let mut nodes = Vec::new();
    for port in [3001, 3002] {
        nodes.push(node(port, &url, carrier).await?);
    }
    println!("Two nodes of one chat. Ctrl-C ends them.");
    tokio::signal::ctrl_c().await?;
    for (io, redis) in nodes {
        io.close().within(Duration::from_secs(5)).await;
        // what the ends of the connections had to tell the other node; unless Redis is away
        let _ = tokio::time::timeout(Duration::from_secs(1), redis.flushed()).await;
    }
    Ok(())
}

/// How messages travel from node to node.
#[derive(Clone, Copy)]
enum Carrier {
    Redis,
    Streams,
}

/// A node of the cluster.
async fn node(
    port: u16,
    redis: &str,
    carrier: Carrier,
) -> Result<(Server, RedisAdapter), BoxError> {
    let (adapter, recovery) = match carrier {
        Carrier::Redis => (RedisAdapter::builder(redis), None),
        Carrier::Streams => {
            (RedisAdapter::streams(redis), Some(ConnectionStateRecovery::default()))
        }
    };
    let redis = adapter
        .on_event(move |event| match event {
            Event::Disconnected(error) => println!("node {port} has no Redis: {error}"),
            Event::Ready => println!("node {port} has Redis"),
            Event::Lost(count) => println!("node {port} lost {count} messages for the other"),
            _ => {}
        })
        .build()?;
    let server = Server::builder().adapter(redis.clone());
    let io = server.connection_state_recovery(recovery).build()?;
    io.on_connection(chat::connected);
    // before clients come
    redis.ready().await;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let server = io.attach_service(listener, io.fallback(page::Page::default()))?;
    println!("http://{}/", server.local_addr());
    Ok((io, redis))
}

/// A Redis for this run, ended with it.
async fn start_redis() -> Result<(String, Child), BoxError> {
    let port = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
    let child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("redis-server does not start ({error}): give --redis URL"))?;
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok((format!("redis://127.0.0.1:{port}"), child))
}
