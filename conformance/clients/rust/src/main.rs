//! The crate `rust_socketio` against the fixture server: `rust-clients URL`, where the fixture listens
//! with the profile `default`. The client speaks Socket.IO protocol 5 and answers no
//! acknowledgements.

use std::error::Error;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use rust_socketio::client::Client;
use rust_socketio::{ClientBuilder, Payload, RawClient, TransportType};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error>>;
/// An event and what came with it.
type Event = (&'static str, Payload);
type Case = fn(&str, TransportType) -> Result<()>;

fn main() -> ExitCode {
    let Some(url) = std::env::args().nth(1) else {
        eprintln!("usage: rust-clients URL");
        return ExitCode::from(2);
    };
    let (mut passed, mut failed) = (0, 0);
    for (way, transport) in WAYS {
        for (name, case) in CASES {
            let label = format!("rust_socketio/{name} [{way}]");
            match case(&url, transport.clone()) {
                Ok(()) => {
                    passed += 1;
                    println!("{label}: pass");
                }
                Err(error) => {
                    failed += 1;
                    println!("{label}: fail ({})", error.to_string().replace('\n', " "));
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

const WAYS: [(&str, TransportType); 3] = [
    ("polling", TransportType::Polling),
    ("websocket", TransportType::Websocket),
    ("upgrade", TransportType::WebsocketUpgrade),
];

const CASES: [(&str, Case); 6] = [
    ("echo", echo),
    ("acknowledgement", acknowledgement),
    ("a burst of 50", burst),
    ("namespace with auth", namespace),
    ("disconnected by the server", kicked),
    ("leaves", leaves),
];

/// A client in a namespace, whose events come in the order in which they are heard.
fn connect(
    url: &str,
    transport: TransportType,
    namespace: &str,
    auth: Option<Value>,
) -> Result<(Client, Receiver<Event>)> {
    let (sender, events) = mpsc::channel();
    let hear = |name: &'static str, sender: &Sender<Event>| {
        let sender = sender.clone();
        move |payload: Payload, _: RawClient| {
            // Nobody listens any more when its case is over.
            let _ = sender.send((name, payload));
        }
    };
    let mut builder = ClientBuilder::new(url)
        .namespace(namespace)
        .transport_type(transport)
        .reconnect(false)
        .reconnect_on_disconnect(false);
    for name in ["open", "close", "echo", "seq", "bye", "report", "message"] {
        builder = builder.on(name, hear(name, &sender));
    }
    if let Some(auth) = auth {
        builder = builder.auth(auth);
    }
    let client = builder.connect()?;
    next(&events, "open")?;
    Ok((client, events))
}

/// The next event, which must have this name.
fn next(events: &Receiver<Event>, name: &str) -> Result<Payload> {
    let (heard, payload) =
        events.recv_timeout(PATIENCE).map_err(|_| format!("the event `{name}` did not come"))?;
    if heard != name {
        return Err(format!("heard `{heard}` ({payload:?}) instead of `{name}`").into());
    }
    Ok(payload)
}

fn equal(got: &Payload, expected: impl Into<Payload>) -> Result<()> {
    let expected = expected.into();
    if *got != expected {
        return Err(format!("got {got:?}, expected {expected:?}").into());
    }
    Ok(())
}

fn echo(url: &str, transport: TransportType) -> Result<()> {
    let (client, events) = connect(url, transport, "/", None)?;
    echoes(&client, &events)?;
    client.disconnect()?;
    Ok(())
}

fn echoes(client: &Client, events: &Receiver<Event>) -> Result<()> {
    let texts = [
        vec![json!("text"), json!(7), json!(null), json!({ "a": [1, "é"] })],
        vec![json!("x".repeat(100_000))],
    ];
    for values in texts {
        client.emit("echo", values.clone())?;
        equal(&next(events, "echo")?, values)?;
    }
    client.emit("echo", vec![0, 255, 1])?;
    equal(&next(events, "echo")?, vec![0, 255, 1])
}

fn acknowledgement(url: &str, transport: TransportType) -> Result<()> {
    let (client, _events) = connect(url, transport, "/", None)?;
    let (sender, answers) = mpsc::channel();
    let answer = move |payload: Payload, _: RawClient| {
        let _ = sender.send(payload);
    };
    client.emit_with_ack("echo-ack", vec![json!("a"), json!(1)], PATIENCE, answer)?;
    let answer = answers.recv_timeout(PATIENCE).map_err(|_| "no acknowledgement")?;
    // It hands all arguments over as one.
    equal(&answer, json!(["a", 1]))?;
    client.disconnect()?;
    Ok(())
}

fn burst(url: &str, transport: TransportType) -> Result<()> {
    let (client, events) = connect(url, transport, "/", None)?;
    client.emit("emit-many", json!(50))?;
    for i in 0..50 {
        equal(&next(&events, "seq")?, json!(i))?;
    }
    for i in 0..50 {
        client.emit("echo", json!(i))?;
    }
    for i in 0..50 {
        equal(&next(&events, "echo")?, json!(i))?;
    }
    client.disconnect()?;
    Ok(())
}

fn namespace(url: &str, transport: TransportType) -> Result<()> {
    let auth = json!({ "token": "secret" });
    let (client, events) = connect(url, transport, "/mw-token", Some(auth))?;
    echoes(&client, &events)?;
    client.disconnect()?;
    Ok(())
}

fn kicked(url: &str, transport: TransportType) -> Result<()> {
    let (client, events) = connect(url, transport, "/", None)?;
    client.emit("kick-after-emit", json!(true))?;
    equal(&next(&events, "bye")?, json!(1))?;
    next(&events, "close")?;
    Ok(())
}

/// The server hears of a client that leaves at once.
fn leaves(url: &str, transport: TransportType) -> Result<()> {
    let (watcher, reports) = connect(url, TransportType::Websocket, "/monitor", None)?;
    // An event without arguments is a message to it, whose text is the event's name.
    equal(&next(&reports, "message")?, json!("watching"))?;
    let (client, events) = connect(&format!("{url}?label=leaving"), transport, "/", None)?;
    client.disconnect()?;
    next(&events, "close")?;
    for event in ["disconnecting", "disconnect"] {
        let report = report_of(&reports, "leaving")?;
        let is = |name: &str, value: &str| report[name] == value;
        let reason = is("reason", "client namespace disconnect") || is("reason", "transport close");
        if !is("ev", event) || !reason {
            return Err(format!("unexpected report {report}").into());
        }
    }
    watcher.disconnect()?;
    Ok(())
}

/// The next report of the socket with this label.
fn report_of(reports: &Receiver<Event>, label: &str) -> Result<Value> {
    loop {
        let Payload::Text(report) = next(reports, "report")? else {
            return Err("a report of bytes".into());
        };
        if report[0]["label"] == label {
            return Ok(report[0].clone());
        }
    }
}

/// How long something may take that is waited for: it ends a case that hangs, and is no measure of
/// speed.
const PATIENCE: Duration = Duration::from_secs(10);
