//! The profile `cluster`, the fixture node of the cluster suite: `../../cluster/fixture-spec.md`; and
//! `bench-cluster`, the events of the load generator on nodes of a cluster.

use std::process::ExitCode;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use socketio::adapter::{Answers, RemoteSocket, ServerEvent, SocketId};
use socketio::emit::{BroadcastOperator, One, Spread};
use socketio::options::ConnectionStateRecovery;
use socketio::{Ack, BoxError, Data, Namespace, Server, Socket, Value};
use socketio_redis::{Dialect, RedisAdapter, RoomChannels, Streams};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::bench;
use crate::outside::Outside;

const NAMESPACES: [&str; 4] = ["/", "/chat", "/notifications", "/a[1]"];

/// The time limit of requests to other nodes.
const LIMIT: Duration = Duration::from_millis(1000);

/// What is on the command line behind `--profile cluster`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) redis: Option<String>,
    pub(crate) adapter: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) dialect: Option<String>,
    pub(crate) stream_count: Option<String>,
    pub(crate) max_len: Option<String>,
    pub(crate) recovery: Option<String>,
}

impl Options {
    /// The options of streams, or which of them is wrong.
    fn streams(&self, key: &str) -> Result<Streams, &'static str> {
        let number = |text: &Option<String>, what| match text {
            None => Ok(None),
            Some(text) => text.parse::<usize>().map(Some).map_err(|_| what),
        };
        let mut streams = Streams::default();
        streams.name = key.to_owned();
        streams.count = number(&self.stream_count, "--stream-count")?.unwrap_or(streams.count);
        streams.max_len = number(&self.max_len, "--max-len")?.unwrap_or(streams.max_len);
        Ok(streams)
    }

    fn recovery(&self) -> Result<Option<ConnectionStateRecovery>, &'static str> {
        let Some(ms) = &self.recovery else { return Ok(None) };
        let mut recovery = ConnectionStateRecovery::default();
        let ms = ms.parse().map_err(|_| "--recovery")?;
        recovery.max_disconnection_duration = Duration::from_millis(ms);
        Ok(Some(recovery))
    }
}

pub(crate) fn main(port: u16, options: &Options, is_bench: bool) -> ExitCode {
    // before what else may be missing: a suite skips then
    let offered = [None, Some("classic"), Some("sharded"), Some("streams")];
    if !offered.contains(&options.adapter.as_deref()) {
        return ExitCode::from(3);
    }
    let Some(redis) = &options.redis else {
        eprintln!("a node of a cluster: --redis URL is missing");
        return ExitCode::from(2);
    };
    let builder = RedisAdapter::builder(redis.as_str()).request_timeout(LIMIT);
    let key = options.key.as_deref().unwrap_or("socket.io");
    let builder = builder.key(key);
    let dialect = match options.dialect.as_deref() {
        None | Some("new") => Dialect::New,
        Some("old") => Dialect::Old,
        Some("mixed") => Dialect::Mixed,
        Some(other) => {
            eprintln!("unknown dialect {other}");
            return ExitCode::from(2);
        }
    };
    let (streams, recovery) = match (options.streams(key), options.recovery()) {
        (Ok(streams), Ok(recovery)) => (streams, recovery),
        (Err(option), _) | (_, Err(option)) => {
            eprintln!("no number: {option}");
            return ExitCode::from(2);
        }
    };
    let builder = match options.adapter.as_deref() {
        Some("sharded") => builder.sharded(RoomChannels::Joined),
        Some("streams") => builder.with_streams(streams),
        _ => builder.dialect(dialect),
    };
    match run(port, builder, recovery, is_bench) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(
    port: u16,
    builder: socketio_redis::Builder,
    recovery: Option<ConnectionStateRecovery>,
    is_bench: bool,
) -> Result<(), BoxError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let redis = builder.build()?;
    let server = Server::builder().serve_client(false).adapter(redis.clone());
    let io = server.connection_state_recovery(recovery).build()?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let port = listener.local_addr()?.port();
    if is_bench {
        bench::add(&io);
    } else {
        for name in NAMESPACES {
            namespace(&io, &io.of(name), &redis, port);
        }
    }
    redis.ready().await;
    io.attach_service(listener, io.fallback(Outside))?;
    println!("listening {port}");
    terminate.recv().await;
    io.close().within(Duration::from_secs(2)).await;
    // what waits, for who is left; Redis may be away
    let _ = tokio::time::timeout(Duration::from_millis(500), redis.flushed()).await;
    Ok(())
}

/// Arguments of `notes` that came from other servers.
type Log = std::sync::Arc<std::sync::Mutex<Vec<Value>>>;

fn namespace(io: &Server, namespace: &Namespace, redis: &RedisAdapter, port: u16) {
    let log = Log::default();
    for_servers(namespace, port, &log);
    let (io, redis) = (io.clone(), redis.clone());
    namespace.on_connection(move |socket: Socket| {
        rooms(&socket, &redis);
        emitting(&io, &socket);
        asking(&io, &socket);
        changing(&io, &socket);
        let log = log.clone();
        socket.on("server-log", move |ack: Ack| {
            let log = log.lock().expect("no handler panics here").clone();
            ack.send(One(log))
        });
    });
}

/// What a node does when it is asked by the rest of the cluster.
fn for_servers(namespace: &Namespace, port: u16, log: &Log) {
    let log = log.clone();
    namespace.on_server_event("note", async move |event: ServerEvent| {
        log.lock().expect("no handler panics here").push(event.args().to_vec().into());
    });
    namespace.on_server_event("sum", async |event: ServerEvent| {
        if let Ok((a, b)) = event.data::<(i64, i64)>() {
            let _ = event.reply(a + b);
        }
    });
    namespace.on_server_event("who", async move |event: ServerEvent| {
        let _ = event.reply(port);
    });
    namespace.on_server_event("back", async |event: ServerEvent| {
        let _ = event.reply(event.args().first());
    });
    namespace.on_server_event("mute", async |_: ServerEvent| {});
    namespace.on_server_event("twice", async |event: ServerEvent| {
        let _ = event.reply("first");
        let _ = event.reply("second");
    });
    namespace.on_custom_request(async move |data: Value| {
        match data.get("q").and_then(Value::as_str) {
            Some("port") => Some(port.into()),
            Some("double") => Some((data.get("x")?.as_i64()? * 2).into()),
            Some("echo") => Some(data.get("x").cloned().unwrap_or_default()),
            Some("mute") => None,
            // no question, or no data at all
            _ => Some(Value::Null),
        }
    });
}

fn rooms(socket: &Socket, redis: &RedisAdapter) {
    let error =
        |result: Result<(), socketio::adapter::AdapterError>| result.err().map(|e| e.to_string());
    socket.on(
        "join",
        async move |socket: Socket, Data(One(rooms)): Data<One<Vec<String>>>, ack: Ack| {
            ack.send(error(socket.join(rooms).await))
        },
    );
    socket.on("leave", async move |socket: Socket, Data(room): Data<String>, ack: Ack| {
        ack.send(error(socket.leave(room).await))
    });
    socket.on("rooms", |socket: Socket, ack: Ack| {
        let id = socket.id().clone();
        ack.send(One(named(socket.rooms().iter().map(|room| room.as_str()), &id)))
    });
    socket.on("local-ids", |socket: Socket, ack: Ack| {
        let connected = socket.namespace().connected();
        let ids = connected.iter().map(|socket| socket.id().to_string()).collect();
        ack.send(One(sorted(ids)))
    });
    socket.on("data", |socket: Socket, Data(One(value)): Data<One<Value>>, ack: Ack| {
        let data: Value = [("value", value)].into_iter().collect();
        let kept = socket.set_data(&data);
        ack.send(kept.err().map(|error| error.to_string()))
    });
    let redis = redis.clone();
    socket.on("stats", move |ack: Ack| {
        let stats = redis.stats();
        ack.send(json!({
            "adapterErrors": stats.errors,
            "badMessages": stats.malformed,
            "lost": stats.lost,
            "missed": stats.missed,
        }))
    });
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wish {
    nsp: Option<String>,
    from: Option<String>,
    rooms: Vec<String>,
    except: Vec<String>,
    flags: Vec<String>,
    event: String,
    args: Vec<Value>,
    n: u64,
    tag: Value,
    sid: String,
    room: String,
    op: String,
    to: Vec<String>,
    close: bool,
    timeout: Option<u64>,
    ack: bool,
}

impl Wish {
    fn namespace(&self, io: &Server, socket: &Socket) -> Namespace {
        match &self.nsp {
            Some(name) => io.of(name),
            None => socket.namespace().clone(),
        }
    }

    /// Who is meant, and how.
    fn target(&self, io: &Server, socket: &Socket) -> BroadcastOperator {
        let mut target = match self.from.as_deref() {
            Some("socket") => socket.broadcast(),
            _ => self.namespace(io, socket).except([""; 0]),
        };
        for flag in &self.flags {
            target = match flag.as_str() {
                "local" => target.local(),
                "volatile" => target.volatile(),
                "compress:true" => target.compress(true),
                "compress:false" => target.compress(false),
                _ => target,
            };
        }
        if !self.rooms.is_empty() {
            target = target.to(&self.rooms);
        }
        target.except(&self.except)
    }
}

fn emitting(io: &Server, socket: &Socket) {
    let server = io.clone();
    socket.on("emit", move |socket: Socket, Data(wish): Data<Wish>, ack: Ack| {
        let target = wish.target(&server, &socket);
        let sent = target.emit(&wish.event, Spread(wish.args));
        ack.send(json!({"error": sent.err().map(|error| error.to_string())}))
    });
    let server = io.clone();
    socket.on("emit-many", async move |socket: Socket, Data(wish): Data<Wish>, ack: Ack| {
        let target = wish.target(&server, &socket);
        for i in 0..wish.n {
            if let Err(error) = target.emit(&wish.event, (&wish.tag, i)) {
                return ack.send(json!({"error": error.to_string()}));
            }
            if i % 200 == 199 {
                // as fast as nothing is lost: the queues are bounded
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        ack.send(json!({"error": null}))
    });
    let server = io.clone();
    socket.on("ask-all", async move |socket: Socket, Data(wish): Data<Wish>, ack: Ack| {
        let timeout = wish.timeout.map_or(LIMIT, Duration::from_millis);
        let target = wish.target(&server, &socket).timeout(timeout);
        let answered = target.emit_with_ack::<Spread<Value>>(&wish.event, Spread(wish.args)).await;
        let answered = match answered {
            Ok(answered) => answered,
            Err(error) => return ack.send(error_and("answers", &error.to_string(), Vec::new())),
        };
        let error = match &answered.error {
            Some(error) => Some(error.to_string()),
            None if answered.is_complete() => None,
            None => Some(format!("not all clients answered within {} ms", timeout.as_millis())),
        };
        let first = |answer: &Spread<Value>| answer.0.first().cloned().unwrap_or_default();
        let local = answered.local.iter().filter_map(|(_, answer)| answer.as_ref().ok().map(first));
        let remote = answered.remote.iter().filter_map(|answer| answer.as_ref().ok().map(first));
        let answers = by_text(local.chain(remote).collect());
        ack.send(object([("error", error.into()), ("answers", answers.into())]))
    });
}

fn asking(io: &Server, socket: &Socket) {
    let server = io.clone();
    socket.on("ids", async move |socket: Socket, Data(wish): Data<Wish>, ack: Ack| {
        let answers = wish.target(&server, &socket).clients().await;
        ack.send(told("ids", answers, |ids: Vec<SocketId>| {
            sorted(ids.iter().map(|id| id.to_string()).collect()).into()
        }))
    });
    let server = io.clone();
    socket.on("fetch", async move |socket: Socket, Data(wish): Data<Wish>, ack: Ack| {
        let answers = wish.target(&server, &socket).fetch_sockets().await;
        ack.send(told("sockets", answers, |mut sockets: Vec<RemoteSocket>| {
            sockets.sort_by(|a, b| a.id().cmp(b.id()));
            sockets.iter().map(described).collect()
        }))
    });
    let server = io.clone();
    socket.on("all-rooms", async move |socket: Socket, Data(wish): Data<Wish>, ack: Ack| {
        let answers = wish.namespace(&server, &socket).all_rooms().await;
        ack.send(told("rooms", answers, |rooms: Vec<socketio::adapter::Room>| {
            sorted(rooms.iter().map(|room| room.to_string()).collect()).into()
        }))
    });
    let server = io.clone();
    socket.on("client-rooms", async move |socket: Socket, Data(wish): Data<Wish>, ack: Ack| {
        let id = SocketId::from(wish.sid.as_str());
        match wish.namespace(&server, &socket).client_rooms(&id).await {
            Ok(rooms) => {
                let rooms = sorted(rooms.iter().map(|room| room.to_string()).collect());
                ack.send(json!({"error": null, "rooms": rooms}))
            }
            Err(error) => ack.send(json!({"error": error.to_string(), "rooms": []})),
        }
    });
    let server = io.clone();
    socket.on("server-emit", async move |socket: Socket, Data(wish): Data<Wish>, ack: Ack| {
        let namespace = wish.namespace(&server, &socket);
        if !wish.ack {
            let sent = namespace.server_side_emit(&wish.event, Spread(wish.args)).await;
            return ack.send(json!({"error": sent.err().map(|error| error.to_string())}));
        }
        let answers =
            namespace.server_side_emit_with_ack::<Value>(&wish.event, Spread(wish.args)).await;
        ack.send(told("answers", answers, |answers| by_text(answers).into()))
    });
    socket.on(
        "custom",
        async move |socket: Socket, Data(One(data)): Data<One<Value>>, ack: Ack| {
            let answers = socket.namespace().custom_request(data).await;
            ack.send(told("replies", answers, |replies| by_text(replies).into()))
        },
    );
}

fn changing(io: &Server, socket: &Socket) {
    let server = io.clone();
    socket.on("remote", async move |socket: Socket, Data(wish): Data<Wish>, ack: Ack| {
        let namespace = wish.namespace(&server, &socket);
        let id = SocketId::from(wish.sid.as_str());
        let done = match wish.op.as_str() {
            "join" => namespace.remote_join(&id, &wish.room),
            "leave" => namespace.remote_leave(&id, &wish.room),
            _ => namespace.remote_disconnect(&id, wish.close),
        };
        ack.send(json!({"error": done.await.err().map(|error| error.to_string())}))
    });
    let server = io.clone();
    socket.on("bulk", async move |socket: Socket, Data(wish): Data<Wish>, ack: Ack| {
        let target = wish.target(&server, &socket);
        let done = match wish.op.as_str() {
            "join" => target.sockets_join(&wish.to),
            "leave" => target.sockets_leave(&wish.to),
            _ => target.disconnect_sockets(wish.close),
        };
        ack.send(json!({"error": done.await.err().map(|error| error.to_string())}))
    });
}

/// The answer to a query: its items, how many nodes answered, and an error if some did not.
fn told<T>(
    key: &str,
    answers: Result<Answers<T>, socketio::adapter::AdapterError>,
    show: impl FnOnce(Vec<T>) -> Value,
) -> Value {
    match answers {
        Ok(Answers { items, answered, missing }) => {
            let expected = answered + missing.len();
            let error = (!missing.is_empty()).then(|| {
                let ms = LIMIT.as_millis();
                format!("{answered} of {expected} nodes answered within {ms} ms")
            });
            let mut told = vec![("error", Value::from(error)), (key, show(items))];
            // answers of listeners are compared whole, and have the numbers only if some are missing
            if !missing.is_empty() || !["answers", "replies"].contains(&key) {
                told.push(("answered", answered.into()));
                told.push(("expected", expected.into()));
            }
            told.into_iter().collect()
        }
        Err(error) => error_and(key, &error.to_string(), Vec::new()),
    }
}

fn error_and(key: &str, error: &str, items: Vec<Value>) -> Value {
    object([("error", error.into()), (key, items.into())])
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    members.into_iter().collect()
}

fn described(socket: &RemoteSocket) -> Value {
    let rooms = named(socket.rooms().iter().map(|room| room.as_str()), socket.id());
    let value = socket.data::<Value>().and_then(|data| data.get("value").cloned());
    let query = socket.handshake().get("query");
    let label = query.and_then(|query| query.get("label")).cloned().unwrap_or_default();
    object([
        ("id", socket.id().as_str().into()),
        ("rooms", rooms.into()),
        ("value", value.into()),
        ("label", label),
    ])
}

/// Names of rooms, sorted, with the socket's own replaced.
fn named<'a>(rooms: impl Iterator<Item = &'a str>, id: &SocketId) -> Vec<String> {
    let name = |room: &str| if room == id.as_str() { "<id>".to_owned() } else { room.to_owned() };
    sorted(rooms.map(name).collect())
}

/// Sorted by the JSON text.
fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort_by_key(|text| json!(text).to_string());
    texts
}

/// Sorted by the JSON text.
fn by_text(mut values: Vec<Value>) -> Vec<Value> {
    values.sort_by_cached_key(|value| serde_json::to_string(value).unwrap_or_default());
    values
}
