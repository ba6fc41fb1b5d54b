//! The namespace `/receipts`: what was sent, and what was received.

use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use socketio::emit::ReceiptError;
use socketio::{Ack, Binary, BoxError, Data, Server, Socket, Value};

use crate::common::{self, label_of, report};

/// What is to be sent: so many items, each with a text and perhaps bytes of such a size.
#[derive(Deserialize)]
struct Items {
    n: u32,
    #[serde(default)]
    size: usize,
    #[serde(default)]
    bytes: usize,
}

/// What became of one receipt.
#[derive(Serialize)]
struct Outcome {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

/// What became of many.
#[derive(Serialize)]
struct Outcomes {
    ok: usize,
    failed: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

#[derive(Serialize)]
struct Took {
    ok: usize,
    ms: u128,
}

pub(crate) fn add(io: &Server) {
    let io = io.clone();
    io.clone().of("/receipts").on_connection(move |socket: Socket| {
        common::add(&io, &socket);
        let server = io.clone();
        socket.on("send", async move |socket: Socket, Data(items): Data<Items>, ack: Ack| {
            send(&socket, &items)?;
            let error = socket.received().await.err().map(name);
            let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
            let ok = error.is_none();
            let what = [("at", Value::from(u64::try_from(at)?)), ("ok", ok.into())];
            tell(&server, &socket, "received", what, error);
            ack.send(Outcome { ok, error })?;
            Ok::<(), BoxError>(())
        });
        let server = io.clone();
        socket.on("wait", async move |socket: Socket, Data(count): Data<usize>, ack: Ack| {
            socket.emit("item", (0, ""))?;
            let receipts: Vec<_> = (0..count.min(10_000)).map(|_| socket.receipt()).collect();
            let (mut ok, mut failed, mut error) = (0, 0, None);
            for receipt in receipts {
                match receipt.await {
                    Ok(_) => ok += 1,
                    Err(why) => {
                        failed += 1;
                        error.get_or_insert_with(|| name(why));
                    }
                }
            }
            let number = |count: usize| Value::from(u64::try_from(count).unwrap_or(u64::MAX));
            let what = [("ok", number(ok)), ("failed", number(failed))];
            tell(&server, &socket, "waited", what, error);
            ack.send(Outcomes { ok, failed, error })?;
            Ok::<(), BoxError>(())
        });
        socket.on("chain", async |socket: Socket, Data(count): Data<usize>, ack: Ack| {
            let start = Instant::now();
            let mut ok = 0;
            for _ in 0..count.min(100) {
                ok += usize::from(socket.received().await.is_ok());
            }
            let took: Duration = start.elapsed();
            ack.send(Took { ok, ms: took.as_millis() })
        });
        socket.on("items", |socket: Socket, Data(n): Data<u32>| {
            send(&socket, &Items { n, size: 0, bytes: 0 })
        });
    });
}

fn send(socket: &Socket, items: &Items) -> Result<(), socketio::emit::EmitError> {
    let text = "x".repeat(items.size);
    for item in 0..items.n {
        match items.bytes {
            0 => socket.emit("item", (item, &text))?,
            bytes => socket.emit("item", (item, &text, Binary(vec![0; bytes].into())))?,
        }
    }
    Ok(())
}

fn tell(
    io: &Server,
    socket: &Socket,
    event: &'static str,
    what: [(&'static str, Value); 2],
    error: Option<&'static str>,
) {
    let label = label_of(socket).map_or(Value::Null, Value::from);
    let error = ("error", error.map_or(Value::Null, Value::from));
    report(io, [("ev", event.into()), ("label", label)].into_iter().chain(what).chain([error]));
}

fn name(error: ReceiptError) -> &'static str {
    match error {
        ReceiptError::Unsupported => "unsupported",
        _ => "gone",
    }
}
