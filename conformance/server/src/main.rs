//! The fixture server of the conformance suite: `conformance-server --port N --profile NAME`.
//!
//! What it does is specified in `../fixture-spec.md`; every profile is one way to build the server,
//! the namespaces and their handlers are the same in all of them.

#![expect(clippy::needless_pass_by_value, reason = "handlers own their arguments")]

mod abuse;
mod api;
mod bench;
mod cluster;
mod common;
mod dedupe;
mod namespaces;
mod nosticky;
mod outside;
mod profiles;
mod receipts;
mod recovery;
mod suites;
mod webtransport;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use socketio::serve::Closing;
use socketio::{BoxError, Server, Socket};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::outside::Outside;
use crate::profiles::Chosen;

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let mut port = None;
    let mut profile = String::from("default");
    let mut cluster = cluster::Options::default();
    let mut certificate = webtransport::Certificate::default();
    let mut nodes = nosticky::Options::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("--port", Some(value)) => port = value.parse::<u16>().ok(),
            ("--profile", Some(value)) => profile = value,
            ("--redis", value @ Some(_)) => cluster.redis = value,
            ("--adapter", value @ Some(_)) => cluster.adapter = value,
            // two suites have an option of this name
            ("--key", value @ Some(_)) => {
                certificate.key.clone_from(&value);
                cluster.key = value;
            }
            ("--cert", value @ Some(_)) => certificate.chain = value,
            ("--dialect", value @ Some(_)) => cluster.dialect = value,
            ("--stream-count", value @ Some(_)) => cluster.stream_count = value,
            ("--max-len", value @ Some(_)) => cluster.max_len = value,
            ("--recovery", value @ Some(_)) => cluster.recovery = value,
            ("--nodes-listen", value @ Some(_)) => nodes.listen = value,
            ("--nodes", value @ Some(_)) => nodes.nodes = value,
            ("--nodes-secret", value @ Some(_)) => nodes.secret = value,
            ("--hold", Some(value)) => nodes.hold = value.parse().ok(),
            ("--max-relayed", Some(value)) => nodes.max_relayed = value.parse().ok(),
            // One of the suites' options that this program does not offer: they skip then.
            (option, Some(_)) if option.starts_with("--") => return ExitCode::from(3),
            _ => return usage(),
        }
    }
    let Some(port) = port else { return usage() };
    // one line each, whatever the environment says about backtraces
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.payload().downcast_ref::<&str>().unwrap_or(&"no text");
        // A log that nobody reads any more must not make of a panic an abort.
        let _ = writeln!(std::io::stderr(), "panic: {text}");
    }));
    if profile == "cluster" || profile == "bench-cluster" {
        return cluster::main(port, &cluster, profile == "bench-cluster");
    }
    nodes.redis.clone_from(&cluster.redis);
    nodes.key.clone_from(&cluster.key);
    let chosen = match profiles::choose(&profile) {
        Ok(Chosen::Unavailable) => return ExitCode::from(3),
        Ok(Chosen::Unknown) => {
            eprintln!("unknown profile {profile}");
            return ExitCode::from(2);
        }
        // sessions to come back to are in the memory of one node, not in Redis
        Ok(Chosen::Fixture(_)) if nodes.redis.is_some() && profile.starts_with("recovery") => {
            return ExitCode::from(3);
        }
        // without the layer above there are no nodes
        Ok(Chosen::Engine(_)) if nodes.nodes.is_some() => return ExitCode::from(3),
        Ok(chosen) => chosen,
        Err(error) => {
            eprintln!("profile {profile}: {error}");
            return ExitCode::FAILURE;
        }
    };
    match run(port, &profile, chosen, &certificate, &nodes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: conformance-server --port N [--profile NAME]");
    ExitCode::from(2)
}

#[tokio::main]
async fn run(
    port: u16,
    profile: &str,
    chosen: Chosen,
    certificate: &webtransport::Certificate,
    nodes: &nosticky::Options,
) -> Result<(), BoxError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let port = listener.local_addr()?.port();
    let (chosen, joined) = chosen.join(nodes)?;
    let closing: Box<dyn FnOnce() -> Closing> = match chosen {
        Chosen::Engine(options) => {
            let engine = engineio::Server::new(options)?;
            engine.on_connection(suites::echo);
            engine.attach_service(listener, engine.fallback(Outside))?;
            Box::new(move || engine.close())
        }
        Chosen::Abuse(builder, more) => {
            let io = builder.build()?;
            let notes = abuse::Notes::default();
            abuse::add(&io, &notes, more);
            io.attach_service(listener, io.fallback(abuse::Routes { io: io.clone(), notes }))?;
            Box::new(move || io.close())
        }
        Chosen::Fixture(builder) => {
            let io = builder.build()?;
            namespaces::add(&io, profile == "root-mw");
            if profile.starts_with("recovery") {
                recovery::add(&io);
            }
            if profile == "closable" {
                closable(&io);
            }
            if profile == "default" || profile == "recovery" {
                dedupe::add(&io);
            }
            if profile.starts_with("receipts") {
                receipts::add(&io);
            }
            if profile == "nosticky" {
                let tag = joined.tag();
                nosticky::add(&io, &tag);
                let routes = nosticky::Routes { io: io.clone(), tag };
                io.attach_service(listener, io.fallback(routes))?;
            } else {
                io.attach_service(listener, io.fallback(Outside))?;
            }
            Box::new(move || io.close())
        }
        Chosen::Api(builder) => {
            let io = builder.build()?;
            api::add(&io);
            io.attach_service(listener, io.fallback(Outside))?;
            Box::new(move || io.close())
        }
        Chosen::Suite(builder) => {
            let io = builder.build()?;
            suites::add(&io);
            io.attach_service(listener, io.fallback(Outside))?;
            Box::new(move || io.close())
        }
        Chosen::Bench(builder) => {
            let io = builder.build()?;
            bench::add(&io);
            if profile == "bench-axum" {
                let io = io.clone();
                tokio::spawn(async move {
                    if let Err(error) = bench::axum(&io, listener).await {
                        eprintln!("axum: {error}");
                    }
                });
            } else {
                io.attach_service(listener, io.fallback(Outside))?;
            }
            Box::new(move || io.close())
        }
        Chosen::WebTransport => webtransport::serve(profile, listener, certificate).await?,
        Chosen::Unavailable | Chosen::Unknown => unreachable!("main ended for these"),
    };
    joined.ready().await?;
    println!("listening {port}");
    terminate.recv().await;
    closing().within(Duration::from_secs(3)).await;
    Ok(())
}

/// On `/` the event `server-close` closes the server and tells when that is done.
fn closable(io: &Server) {
    let io = io.clone();
    io.clone().on_connection(move |socket: Socket| {
        let io = io.clone();
        socket.on("server-close", async move || {
            io.close().await;
            println!("closed");
        });
    });
}
