//! The fixture server of the contract run: `contract-server --port N --profile json|msgpack`.
//!
//! It serves one contract in several namespaces, each with other rules. `/asyncapi.json` is its
//! document, `/metrics` what is counted. `contract-server contract ..` is the command of the contract.

mod contract;

use std::num::NonZeroU32;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusBuilder;
use socketio::parser::Parser;
use socketio::{BoxError, Server};
use socketio_contract::{OnInvalid, OnUnknown, Rules, Served};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::contract::{Desk, fixture};

/// The namespaces with rules of their own, and the default ones in `/`.
fn serve(io: &Server) -> Vec<Served> {
    const THREE: NonZeroU32 = NonZeroU32::new(3).expect("it is not 0");
    let rules = [
        ("/strict", Rules::new().strict(true).on_unknown(OnUnknown::Tell)),
        ("/silent", Rules::new().on_invalid(OnInvalid::Ignore)),
        ("/three", Rules::new().on_invalid(OnInvalid::Disconnect { after: THREE })),
        ("/known", Rules::new().on_unknown(OnUnknown::Disconnect)),
    ];
    let mut all = vec![fixture::serve(io, Desk)];
    for (namespace, rules) in rules {
        all.push(fixture::serve_with(&io.of(namespace), Desk, rules));
    }
    all
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match *words {
        ["contract", ..] => return fixture::contract().command(arguments.into_iter().skip(1)),
        ["--port", port, "--profile", "json"] => run(port, Parser::default()),
        ["--port", port, "--profile", "msgpack"] => run(port, Parser::msgpack()),
        _ => Err("usage: contract-server --port N --profile json|msgpack | contract ..".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(port: &str, parser: Parser) -> Result<(), BoxError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let io = Server::builder().parser(parser).build()?;
    let served = serve(&io);
    let prometheus = PrometheusBuilder::new().install_recorder()?;
    let metrics = async move || {
        served.iter().for_each(Served::publish_metrics);
        prometheus.render()
    };
    let routes = Router::new().route("/metrics", get(metrics));
    let routes = fixture::contract().asyncapi_route("/asyncapi.json", routes);
    let listener = TcpListener::bind(("127.0.0.1", port.parse::<u16>()?)).await?;
    let address = io.attach_service(listener, io.fallback(routes))?.local_addr();
    println!("listening {}", address.port());
    terminate.recv().await;
    io.close().within(Duration::from_secs(3)).await;
    Ok(())
}
