//! The server of the abuse suite, specified in `../../abuse/server-spec.md`: an application with two
//! events, and three plain HTTP routes that tell what happened in it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde::{Deserialize, Serialize};
use socketio::emit::{AckError, EmitError, Spread};
use socketio::{Ack, Args, Binary, BoxError, ConnectError, Data, Reason, Server, Socket, Value};
use tower_service::Service;

/// What the application noted, for the routes.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Inner>);

#[derive(Default)]
struct Inner {
    events: Mutex<Events>,
    calls: AtomicU64,
    answers: AtomicU64,
    errors: AtomicU64,
}

#[derive(Default)]
struct Events {
    last: u64,
    list: VecDeque<Noted>,
}

#[derive(Clone, Serialize)]
struct Noted {
    n: u64,
    ev: &'static str,
    nsp: String,
    id: String,
    conn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovered: Option<bool>,
}

/// Connections and disconnections that are remembered.
const REMEMBERED: usize = 30_000;

impl Notes {
    fn note(&self, socket: &Socket, ev: &'static str, reason: Option<&'static str>) {
        let mut events = self.0.events.lock().expect("nothing panics while it holds the events");
        events.last += 1;
        let noted = Noted {
            n: events.last,
            ev,
            nsp: socket.namespace().name().to_owned(),
            id: socket.id().to_string(),
            conn: socket.conn().id().to_owned(),
            reason,
            recovered: reason.is_none().then(|| socket.recovered()),
        };
        events.list.push_back(noted);
        if events.list.len() > REMEMBERED {
            events.list.pop_front();
        }
    }

    fn after(&self, k: i64) -> Vec<Noted> {
        let events = self.0.events.lock().expect("nothing panics while it holds the events");
        match u64::try_from(k) {
            Ok(k) => events.list.iter().filter(|noted| noted.n > k).cloned().collect(),
            Err(_) => events.list.back().cloned().into_iter().collect(),
        }
    }
}

/// Adds the application; `more` are the handlers of `abuse-app`.
pub(crate) fn add(io: &Server, notes: &Notes, more: bool) {
    let dynamic = |name: &str| {
        let digits = name.strip_prefix("/dyn-");
        digits.is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))
    };
    io.of("/admin").use_fn(async |_: Socket| Err::<(), _>(ConnectError::new("nope")));
    let connected = |notes: &Notes| {
        let notes = notes.clone();
        move |socket: Socket| {
            notes.note(&socket, "connection", None);
            let notes = notes.clone();
            socket.on_disconnect(move |socket: Socket, Reason(reason): Reason| {
                notes.note(&socket, "disconnect", Some(reason.as_str()));
            });
            socket.on("e", |socket: Socket, args: Args, ack: Ack| -> Result<(), EmitError> {
                socket.emit("r", &args)?;
                ack.send(args)
            });
            socket.on("join", |socket: Socket, Data(room): Data<String>| drop(socket.join(room)));
            if more {
                app(&socket);
            }
        }
    };
    for name in ["/", "/chat"] {
        io.of(name).on_connection(connected(notes));
    }
    io.of_matching(dynamic).on_connection(connected(notes));
    if more {
        io.of("/stuck").use_fn(async |_: Socket| {
            std::future::pending::<()>().await;
            Ok::<(), ConnectError>(())
        });
        let slow = io.of("/slow");
        slow.use_fn(async |_: Socket| {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Ok::<(), ConnectError>(())
        });
        slow.on_connection(connected(notes));
        io.of("/panic").use_fn(async |_: Socket| -> Result<(), ConnectError> {
            panic!("a middleware panics on purpose")
        });
    }
}

fn app(socket: &Socket) {
    socket.on("panic", panics);
    socket.on("panic-ack", |socket: Socket| {
        socket.emit_with_ack("q", 0).callback(|_: Result<Spread<Value>, AckError>| {
            panic!("a callback panics on purpose");
        });
    });
    socket.on("panic-disconnect", |socket: Socket| {
        socket.on_disconnect(panics);
    });
    // from now on the disconnect handler panics, with a payload whose drop panics
    socket.on("bomb-disconnect", |socket: Socket| {
        socket.on_disconnect(|| -> () { std::panic::panic_any(Bomb) });
    });
    // the same in the callback of an acknowledgement that never comes
    socket.on("bomb-callback", |socket: Socket| {
        let asking = socket.emit_with_ack("q", 0);
        asking.callback(|_: Result<Spread<Value>, AckError>| std::panic::panic_any(Bomb));
    });
    socket.on("end", |socket: Socket| socket.disconnect(true));
    // a handler that should not be written in this way
    socket.on("block", |Data(ms): Data<u64>| std::thread::sleep(Duration::from_millis(ms)));
    // keeps its arguments for a while
    socket.on("keep", async |Data((ms, _kept)): Data<(u64, Value)>| {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    });
    socket.on("sleep", async |socket: Socket, Data((ms, x)): Data<(u64, Value)>| {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        socket.emit("slept", (x,))
    });
}

fn panics() {
    panic!("a handler panics on purpose");
}

/// What panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("a drop panics on purpose");
        }
    }
}

/// The routes beside the Socket.IO path.
#[derive(Clone)]
pub(crate) struct Routes {
    pub(crate) io: Server,
    pub(crate) notes: Notes,
}

impl<B> Service<Request<B>> for Routes
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { Ok(this.answer(request).await) })
    }
}

impl Routes {
    async fn answer<B>(self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
    {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let body = match (method, path.as_str()) {
            (Method::GET, "/stats") => self.stats(),
            (Method::GET, "/events") => {
                let query = request.uri().query().unwrap_or_default();
                let after = engineio::query_pairs(query).find(|(name, _)| name == "after");
                let after = after.and_then(|(_, k)| k.parse().ok()).unwrap_or(0);
                serde_json::to_string(&self.notes.after(after)).unwrap_or_default()
            }
            (Method::POST, "/do") => {
                let body = request.into_body().collect().await.ok();
                let Some(body) = body else { return status(StatusCode::BAD_REQUEST) };
                self.perform(&body.to_bytes()).await
            }
            _ => return status(StatusCode::NOT_FOUND),
        };
        Response::new(Full::new(body.into()))
    }

    fn stats(&self) -> String {
        let stats = self.io.stats();
        serde_json::json!({
            "sessions": stats.engine.sessions,
            "sockets": stats.sockets,
            "namespaces": stats.namespaces,
            // own-id rooms included, of which each socket has one
            "rooms": stats.rooms + stats.sockets,
            "pendingAcks": stats.pending_acks,
            "pid": std::process::id(),
        })
        .to_string()
    }

    async fn perform(&self, body: &[u8]) -> String {
        match serde_json::from_slice::<Order>(body) {
            Ok(Order::Emit(emit)) => self.emit(emit).await,
            Ok(Order::Ask(ask)) => self.ask(&ask),
            Ok(Order::Asked) => {
                let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
                let notes = &self.notes.0;
                let (ok, errors) = (take(&notes.answers), take(&notes.errors));
                // a callback is consumed by its call: there cannot be a second
                let asked = Asked { calls: take(&notes.calls), ok, errors, twice: 0 };
                serde_json::to_string(&asked).unwrap_or_default()
            }
            Ok(Order::Disconnect { nsp, id, close }) => {
                let socket = self.io.of(&nsp).connected().get(&id);
                let found = socket.is_some();
                if let Some(socket) = socket {
                    socket.disconnect(close);
                }
                format!("{{\"found\":{found}}}")
            }
            Err(error) => serde_json::json!({ "error": error.to_string() }).to_string(),
        }
    }

    async fn emit(&self, emit: Emit) -> String {
        let emit = Arc::new(emit);
        let mut tasks = Vec::new();
        for task in 0..emit.tasks {
            let (io, emit) = (self.io.clone(), Arc::clone(&emit));
            tasks.push(tokio::spawn(async move {
                let text = "x".repeat(emit.size);
                let mut noise = Noise(u64::from(task) + 1);
                for i in 0..emit.count {
                    let mut args = vec![Value::from(i), Value::from(task)];
                    match emit.size {
                        0 => {}
                        size if emit.noise => args.push(noise.text(size).into()),
                        _ => args.push(text.as_str().into()),
                    }
                    for k in 0..emit.binary {
                        let bytes = vec![task as u8, (i >> 8) as u8, i as u8, k as u8];
                        args.push(Binary::from(bytes).into());
                    }
                    let namespace = io.of(&emit.nsp);
                    let operator = namespace.compress(true);
                    let operator = match &emit.to {
                        Some(room) => operator.to(room.as_str()),
                        None => operator,
                    };
                    let operator = if emit.volatile { operator.volatile() } else { operator };
                    let _ = operator.emit(&emit.event, Spread(args));
                    match emit.every {
                        0 if i % 64 == 63 => tokio::task::yield_now().await,
                        0 => {}
                        ms => tokio::time::sleep(Duration::from_millis(ms)).await,
                    }
                }
            }));
        }
        for task in tasks {
            let _ = task.await;
        }
        format!("{{\"emitted\":{}}}", emit.count * u64::from(emit.tasks))
    }

    fn ask(&self, ask: &Ask) -> String {
        let mut asked = 0;
        if let Some(socket) = self.io.of(&ask.nsp).connected().get(&ask.id) {
            for i in 0..ask.count {
                let notes = Arc::clone(&self.notes.0);
                socket
                    .emit_with_ack(&ask.event, i)
                    .timeout(Duration::from_millis(ask.timeout))
                    .callback(move |answer: Result<Spread<Value>, AckError>| {
                        notes.calls.fetch_add(1, Ordering::Relaxed);
                        let counter = if answer.is_ok() { &notes.answers } else { &notes.errors };
                        counter.fetch_add(1, Ordering::Relaxed);
                    });
                asked += 1;
            }
        }
        format!("{{\"asked\":{asked}}}")
    }
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

/// What `POST /do` asks for.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Order {
    Emit(Emit),
    Ask(Ask),
    Asked,
    Disconnect {
        #[serde(default = "root")]
        nsp: String,
        id: String,
        #[serde(default)]
        close: bool,
    },
}

#[derive(Deserialize)]
struct Emit {
    #[serde(default = "root")]
    nsp: String,
    to: Option<String>,
    #[serde(default = "m")]
    event: String,
    count: u64,
    #[serde(default)]
    size: usize,
    #[serde(default)]
    binary: u32,
    #[serde(default)]
    volatile: bool,
    #[serde(default)]
    every: u64,
    #[serde(default = "one")]
    tasks: u32,
    #[serde(default)]
    noise: bool,
}

/// What became of the acknowledgements that were asked for.
#[derive(Serialize)]
struct Asked {
    calls: u64,
    ok: u64,
    errors: u64,
    twice: u64,
}

#[derive(Deserialize)]
struct Ask {
    #[serde(default = "root")]
    nsp: String,
    id: String,
    #[serde(default = "q")]
    event: String,
    count: u64,
    timeout: u64,
}

fn root() -> String {
    "/".to_owned()
}

fn m() -> String {
    "m".to_owned()
}

fn q() -> String {
    "q".to_owned()
}

fn one() -> u32 {
    1
}

/// Letters and digits that do not compress.
struct Noise(u64);

impl Noise {
    fn text(&mut self, length: usize) -> String {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut letter = || {
            // xorshift
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            char::from(LETTERS[(self.0 >> 32) as usize % 64])
        };
        (0..length).map(|_| letter()).collect()
    }
}
