//! The namespace `/dedupe`: what clients repeat is handled once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;
use socketio::events::Dedupe;
use socketio::{Ack, BoxError, Data, Server, Socket, Value};

use crate::common::{label_of, report};

/// What a handler is to do before it answers.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Pay {
    /// It takes so many milliseconds.
    ms: u64,
    /// It fails as often.
    fail: u32,
    /// It ends the connection as often.
    close: u32,
    /// How large the answer is, beside the rest.
    size: usize,
}

pub(crate) fn add(io: &Server) {
    let namespace = io.of("/dedupe");
    namespace.dedupe(Dedupe::event("pay").identify(|socket: &Socket| {
        socket.handshake().auth()?.get("user")?.as_str().map(str::to_owned)
    }));
    let calls: Arc<Mutex<HashMap<String, u32>>> = Arc::default();
    let io = io.clone();
    namespace.on_connection(move |socket: Socket| {
        let (io, calls) = (io.clone(), Arc::clone(&calls));
        socket.on(
            "pay",
            async move |socket: Socket, Data((pay, key)): Data<(Pay, String)>, ack: Ack| {
                let call = {
                    let mut calls = calls.lock().expect("nothing panics here");
                    let label = label_of(&socket).unwrap_or_default();
                    let call = calls.entry(format!("{label} {key}")).or_default();
                    *call += 1;
                    *call
                };
                let label = label_of(&socket).map_or(Value::Null, Value::from);
                let (key, number) = (Value::from(key), Value::from(u64::from(call)));
                report(
                    &io,
                    [("ev", "paid".into()), ("label", label), ("key", key), ("call", number)],
                );
                tokio::time::sleep(Duration::from_millis(pay.ms.min(5000))).await;
                if call <= pay.fail {
                    return Err(BoxError::from("as asked for"));
                }
                if call <= pay.close {
                    socket.conn().close();
                    // the answer does not come in time for it
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                ack.send((call, "x".repeat(pay.size.min(1_000_000))))?;
                Ok(())
            },
        );
    });
}
