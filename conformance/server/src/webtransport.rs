//! The server of the WebTransport suite: `conformance/webtransport/fixture-spec.md`.

use std::convert::Infallible;
use std::fs;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use engineio::{Application, CloseDetail, CloseReason, Message, Options};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde::Deserialize;
use serde_json::json;
use socketio::options::{Cors, Origins, Refused, TransportKind};
use socketio::serve::Closing;
use socketio::serve::webtransport::{self, Tls};
use socketio::{Ack, Args, BoxError, ConnectError, Data, Reason, Server, Socket, Value};
use tokio::net::TcpListener;
use tower_service::Service;

/// Where the certificate is, in PEM.
#[derive(Default)]
pub(crate) struct Certificate {
    pub(crate) chain: Option<String>,
    pub(crate) key: Option<String>,
}

/// The path of a profile, if there is such a profile.
fn path(profile: &str) -> Option<&'static str> {
    match profile {
        "wt-engine" | "wt-engine-fast" | "wt-engine-small" | "wt-engine-off" | "wt-engine-only"
        | "wt-engine-noup" => Some("/engine.io"),
        "wt" | "wt-fast" | "wt-large" | "wt-cors" | "wt-guard" => Some("/socket.io"),
        _ => None,
    }
}

/// Whether the suite has a profile of this name.
pub(crate) fn is_profile(profile: &str) -> bool {
    path(profile).is_some()
}

/// Serves a profile; what ends it.
pub(crate) async fn serve(
    profile: &str,
    listener: TcpListener,
    certificate: &Certificate,
) -> Result<Box<dyn FnOnce() -> Closing>, BoxError> {
    let address = listener.local_addr()?;
    let log = Log::default();
    let path = path(profile).ok_or("no such profile")?;
    let engine = match path {
        "/engine.io" => {
            let engine = engineio::Server::new(options(profile, path))?;
            let noted = log.clone();
            engine.on_connection(move |socket: &engineio::Socket| -> Box<dyn Application> {
                Box::new(Echo { socket: socket.clone(), log: noted.clone(), transport: None })
            });
            engine
        }
        _ => {
            let mut builder = Server::builder().engine(|engine| {
                let serves = options(profile, path);
                *engine = serves;
            });
            if profile == "wt-cors" {
                builder = builder.cors(Cors::FromOrigins).origins(Origins::any());
            }
            if profile == "wt-guard" {
                builder = builder.allow_request(guard);
            }
            let io = builder.serve_client(false).build()?;
            add(&io, &log);
            let engine = io.engine().clone();
            let routes = Routes { engine: engine.clone(), log: log.clone() };
            io.attach_service(listener, io.fallback(routes))?;
            io.listen_webtransport(address, tls(certificate)?).await?;
            return Ok(Box::new(move || io.close()));
        }
    };
    engine.attach_service(listener, engine.fallback(Routes { engine: engine.clone(), log }))?;
    if engine.options().transports.contains(&TransportKind::WebTransport) {
        webtransport::listen(&engine, address, tls(certificate)?, Default::default()).await?;
    }
    Ok(Box::new(move || engine.close()))
}

fn tls(certificate: &Certificate) -> Result<Tls, BoxError> {
    let Certificate { chain: Some(chain), key: Some(key) } = certificate else {
        return Err("a profile of WebTransport takes --cert and --key".into());
    };
    Ok(Tls::from_pem(fs::read(chain)?, fs::read(key)?)?)
}

fn options(profile: &str, path: &str) -> Options {
    let ms = Duration::from_millis;
    let mut options = Options::default();
    options.path = path.to_owned();
    options.transports = TransportKind::ALL.to_vec();
    options.ping_interval = ms(25_000);
    options.ping_timeout = ms(20_000);
    options.upgrade_timeout = ms(1000);
    options.max_http_buffer_size = 1_000_000;
    options.cookie = None;
    match profile {
        "wt-engine-fast" => {
            options.ping_interval = ms(300);
            options.ping_timeout = ms(200);
            options.upgrade_timeout = ms(300);
        }
        "wt-fast" => {
            options.ping_interval = ms(300);
            options.ping_timeout = ms(1500);
        }
        "wt-large" => options.max_http_buffer_size = 2_000_000,
        "wt-engine-small" => options.max_http_buffer_size = 1000,
        "wt-engine-off" => options.transports.retain(|kind| *kind != TransportKind::WebTransport),
        "wt-engine-only" => options.transports.retain(|kind| *kind == TransportKind::WebTransport),
        "wt-engine-noup" => options.allow_upgrades = false,
        _ => {}
    }
    options
}

/// Refuses a query with `deny`, and origins that are not one.
fn guard(request: socketio::serve::Request) -> Result<(), Refused> {
    let denied = engineio::query_pairs(request.query()).any(|(name, _)| name == "deny");
    let is_foreign = request.header("origin").is_some_and(|origin| origin != "https://ok.example");
    if denied || is_foreign { Err(Refused::forbidden()) } else { Ok(()) }
}

/// What happened, numbered from one.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<serde_json::Value>>>);

impl Log {
    fn note(&self, event: &str, conn: &str, more: (&str, &str)) {
        let mut all = self.0.lock().expect("nobody panics");
        let n = all.len() + 1;
        let (name, value) = more;
        all.push(json!({"n": n, "ev": event, "conn": conn, name: value}));
    }

    fn after(&self, n: usize) -> serde_json::Value {
        self.0.lock().expect("nobody panics").iter().skip(n).cloned().collect()
    }
}

/// The engine's sessions: everything comes back.
struct Echo {
    socket: engineio::Socket,
    log: Log,
    /// As it was noted last.
    transport: Option<TransportKind>,
}

impl Echo {
    fn look(&mut self) {
        let transport = self.socket.transport();
        let event = match self.transport.replace(transport) {
            None => "connection",
            Some(before) if before != transport => "upgrade",
            Some(_) => return,
        };
        self.log.note(event, self.socket.id(), ("transport", transport.as_str()));
    }
}

impl Application for Echo {
    fn on_open(&mut self, _: &mut Context<'_>) {
        self.look();
    }

    fn on_message(&mut self, message: Message<'_>, _: &mut Context<'_>) {
        self.look();
        let _ = self.socket.send(message);
    }

    fn poll(&mut self, _: &mut Context<'_>) {
        self.look();
    }

    fn on_close(&mut self, reason: CloseReason, _: Option<CloseDetail>, _: &mut Context<'_>) {
        self.log.note("disconnect", self.socket.id(), ("reason", reason.as_str()));
    }
}

fn add(io: &Server, log: &Log) {
    io.use_fn(async |socket: Socket| {
        let auth = socket.handshake().auth();
        let token =
            auth.as_ref().and_then(|auth| auth.get("token")).and_then(|token| token.as_str());
        match token {
            Some("bad") => Err(ConnectError::new("no")),
            _ => Ok(()),
        }
    });
    let (all, log) = (io.clone(), log.clone());
    io.on_connection(move |socket: Socket| {
        let conn = socket.client().conn().clone();
        log.note("connection", conn.id(), ("transport", conn.transport().as_str()));
        let noted = log.clone();
        let id = conn.id().to_owned();
        socket.on("disconnect", move |Reason(reason): Reason| {
            noted.note("disconnect", &id, ("reason", reason.as_str()));
        });
        socket.on("echo", |socket: Socket, args: Args| socket.emit("echo", args));
        socket.on("echo-ack", |args: Args, ack: Ack| ack.send(args));
        let all = all.clone();
        socket.on("bcast", move |args: Args| all.emit("bcast", args));
        socket.on("many", |socket: Socket, Data(count): Data<u32>| {
            (0..count).try_for_each(|n| socket.emit("seq", n))
        });
        socket.on("kick", |socket: Socket, Data(close): Data<bool>| socket.disconnect(close));
        socket.on("whoami", |socket: Socket, ack: Ack| {
            let handshake = socket.handshake();
            let client = socket.client();
            let text = |text: Option<String>| text.map_or(Value::Null, Value::from);
            let who: Value = [
                ("id", Value::from(socket.id().as_str())),
                ("conn", Value::from(client.conn().id())),
                ("transport", Value::from(client.conn().transport().as_str())),
                ("auth", handshake.auth().unwrap_or(Value::Null)),
                ("origin", text(handshake.header("origin").map(str::to_owned))),
                ("address", text(handshake.address().map(|address| address.to_string()))),
            ]
            .into_iter()
            .collect();
            ack.send(socketio::emit::One(who))
        });
    });
}

/// What the runner asks by TCP, beside the server's own requests.
#[derive(Clone)]
struct Routes {
    engine: engineio::Server,
    log: Log,
}

/// What `POST /do` asks for.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Order {
    Close {
        conn: String,
    },
    Send {
        conn: String,
        count: usize,
        size: usize,
        #[serde(default)]
        binary: bool,
    },
}

impl Routes {
    fn order(&self, order: Order) -> bool {
        let (Order::Close { conn } | Order::Send { conn, .. }) = &order;
        let Some(socket) = self.engine.session(conn) else { return false };
        match order {
            Order::Close { .. } => socket.close(),
            Order::Send { count, size, binary, .. } => {
                let text = "x".repeat(size);
                let message = match binary {
                    true => Message::Binary(text.clone().into()),
                    false => Message::Text(&text),
                };
                for _ in 0..count {
                    let _ = socket.send(message.clone());
                }
            }
        }
        true
    }
}

impl<B> Service<Request<B>> for Routes
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let query = parts.uri.query().unwrap_or_default();
            let answer = match parts.uri.path() {
                "/stats" => {
                    let sessions = this.engine.session_count();
                    json!({"sessions": sessions, "pid": std::process::id()})
                }
                "/events" => {
                    let after = engineio::query_pairs(query).find(|(name, _)| name == "after");
                    this.log.after(after.and_then(|(_, n)| n.parse().ok()).unwrap_or(0))
                }
                "/do" => {
                    let body = body.collect().await.map(|body| body.to_bytes());
                    let order =
                        body.ok().and_then(|body| serde_json::from_slice::<Order>(&body).ok());
                    json!({"found": order.is_some_and(|order| this.order(order))})
                }
                _ => {
                    let mut answer = Response::new(Full::default());
                    *answer.status_mut() = StatusCode::NOT_FOUND;
                    return Ok(answer);
                }
            };
            Ok(Response::new(Full::new(answer.to_string().into())))
        })
    }
}
