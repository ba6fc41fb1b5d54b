//! The options of JavaScript, as JSON, to those of the server.

use std::sync::Arc;
use std::time::Duration;

use engineio::{
    Cookie, Cors, Origins, OverflowPolicy, PerMessageDeflate, Request, SameSite, TransportKind,
};
use serde_json::Value;
use socketio::options::{ConnectionStateRecovery, Options};
use socketio::parser::Parser;
use socketio::{Builder, Server};
use socketio_redis::RedisAdapter;

use crate::node::Failure;
use crate::requests::GivenId;

/// What is not the server's but the addon's.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) threads: Option<usize>,
    /// Bytes that may wait for JavaScript before connections are not read.
    pub(crate) max_inbound_batch: usize,
}

impl Own {
    pub(crate) fn read(options: &Value) -> Result<Self, Failure> {
        let max_inbound_batch = size(options, "maxInboundBatch")?.unwrap_or(8 * 1024 * 1024);
        if max_inbound_batch == 0 {
            return Err(Failure::out_of_range("option maxInboundBatch: 0 makes no sense"));
        }
        Ok(Self { threads: size(options, "threads")?, max_inbound_batch })
    }
}

/// A server of these options. Their names are those of Node, and of the limits those of Rust in camel
/// case; `lib/options.js` has refused all others.
pub(crate) fn builder(options: &Value) -> Result<Builder, Failure> {
    let mut builder = Server::builder().defaults_of_4x().serve_client(false);
    if let Some(path) = text(options, "path")? {
        builder = builder.path(path);
    }
    if boolean(options, "serveClient")? == Some(true) {
        builder = builder.serve_client(true);
    }
    builder = times(builder, options)?;
    if let Some(allow) = boolean(options, "allowEIO3")? {
        builder = builder.allow_eio3(allow);
    }
    if let Some(allow) = boolean(options, "allowUpgrades")? {
        builder = builder.allow_upgrades(allow);
    }
    if let Some(first) = boolean(options, "rootFirst")? {
        builder = builder.root_first(first);
    }
    if let Some(list) = options.get("transports").filter(|list| !list.is_null()) {
        let all = list.as_array().ok_or_else(|| wrong("transports", "an array of names"))?;
        let mut kinds = Vec::new();
        for name in all {
            match name.as_str() {
                Some("polling") => kinds.push(TransportKind::Polling),
                Some("websocket") => kinds.push(TransportKind::WebSocket),
                _ => return Err(wrong("transports", "\"polling\" and \"websocket\"")),
            }
        }
        builder = builder.transports(kinds);
    }
    match options.get("parser").and_then(Value::as_str) {
        None | Some("json") => {}
        Some("msgpack") => builder = builder.parser(Parser::msgpack()),
        Some(_) => return Err(wrong("parser", "\"json\" or \"msgpack\"")),
    }
    if let Some(origins) = text(options, "origins")? {
        builder = builder.origins(Origins::list(origins).map_err(refused)?).cors(Cors::FromOrigins);
    }
    builder = builder.cookie(cookie(options)?);
    builder = builder.per_message_deflate(deflate(options)?);
    builder = builder.http_compression(compression(options)?);
    if let Some(recovery) = recovery(options)? {
        builder = builder.connection_state_recovery(recovery);
    }
    if let Some(redis) = options.get("redis").filter(|redis| !redis.is_null()) {
        builder = builder.adapter(redis_adapter(redis)?);
    }
    let mut failed = None;
    builder = builder.limits(|limits| failed = self::limits(limits, options).err());
    builder = builder.engine(|engine| {
        failed = failed.take().or_else(|| engine_limits(engine, options).err());
    });
    if let Some(failure) = failed {
        return Err(failure);
    }
    Ok(builder.generate_id(|request: Request| -> String {
        match request.extensions().get::<GivenId>() {
            Some(GivenId(id)) => id.clone(),
            None => engineio::random_id(),
        }
    }))
}

fn times(mut builder: Builder, options: &Value) -> Result<Builder, Failure> {
    if let Some(time) = time(options, "pingInterval")? {
        builder = builder.ping_interval(time);
    }
    if let Some(time) = time(options, "pingTimeout")? {
        builder = builder.ping_timeout(time);
    }
    if let Some(time) = time(options, "upgradeTimeout")? {
        builder = builder.upgrade_timeout(time);
    }
    if let Some(time) = time(options, "connectTimeout")? {
        builder = builder.connect_timeout(time);
    }
    if let Some(time) = time(options, "maxReadPause")? {
        builder = builder.max_read_pause(time);
    }
    if let Some(time) = time(options, "writeTimeout")? {
        builder = builder.write_timeout(time);
    }
    Ok(builder)
}

fn limits(limits: &mut socketio::options::Limits, options: &Value) -> Result<(), Failure> {
    for (name, limit) in [
        ("maxNamespaces", &mut limits.max_namespaces),
        ("maxDynamicNamespaces", &mut limits.max_dynamic_namespaces),
        ("maxDynamicNamespacesPerAddress", &mut limits.max_dynamic_namespaces_per_address),
        ("maxRooms", &mut limits.max_rooms),
        ("maxRoomLen", &mut limits.max_room_len),
        ("maxAuthBytes", &mut limits.max_auth_bytes),
        ("maxDepth", &mut limits.packet.max_depth),
        ("maxArgs", &mut limits.packet.max_args),
        ("maxAttachments", &mut limits.packet.max_attachments),
        ("maxPacketBytes", &mut limits.packet.max_packet_bytes),
        ("maxNamespaceLen", &mut limits.packet.max_namespace_len),
        ("maxEventLen", &mut limits.packet.max_event_len),
    ] {
        if let Some(value) = size(options, name)? {
            *limit = value;
        }
    }
    Ok(())
}

fn engine_limits(engine: &mut Options, options: &Value) -> Result<(), Failure> {
    for (name, limit) in [
        ("maxHttpBufferSize", &mut engine.max_http_buffer_size),
        ("maxOutboundBytes", &mut engine.max_outbound_bytes),
        ("maxOutboundPackets", &mut engine.max_outbound_packets),
        ("maxTotalOutboundBytes", &mut engine.max_total_outbound_bytes),
        ("maxTotalInboundBytes", &mut engine.max_total_inbound_bytes),
        ("maxPacketsPerPayload", &mut engine.max_packets_per_payload),
        ("maxFramesPerMessage", &mut engine.max_frames_per_message),
    ] {
        if let Some(value) = size(options, name)? {
            *limit = value;
        }
    }
    for (name, limit) in [
        ("maxSessions", &mut engine.max_sessions),
        ("maxSessionsPerAddress", &mut engine.max_sessions_per_address),
        ("maxConnections", &mut engine.max_connections),
        ("maxConnectionsPerAddress", &mut engine.max_connections_per_address),
        ("maxPacketsPerPoll", &mut engine.max_packets_per_poll),
    ] {
        if let Some(value) = size(options, name)? {
            *limit = Some(value);
        }
    }
    if let Some(proxies) = options.get("trustedProxies").and_then(Value::as_array) {
        engine.trusted_proxies =
            proxies.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    }
    match options.get("slowConsumer").and_then(Value::as_str) {
        None => {}
        Some("disconnect") => engine.slow_consumer = OverflowPolicy::Disconnect,
        Some("dropNewest") => engine.slow_consumer = OverflowPolicy::DropNewest,
        Some("dropOldest") => engine.slow_consumer = OverflowPolicy::DropOldest,
        Some(_) => {
            return Err(wrong("slowConsumer", "\"disconnect\", \"dropNewest\" or \"dropOldest\""));
        }
    }
    Ok(())
}

/// The cookie: none, one by its name, or one with attributes of npm's `cookie`.
fn cookie(options: &Value) -> Result<Option<Cookie>, Failure> {
    let said = match options.get("cookie") {
        None | Some(Value::Null | Value::Bool(false)) => return Ok(None),
        Some(Value::Bool(true)) => return Ok(Some(Cookie::default())),
        Some(Value::String(name)) => return Ok(Some(Cookie::named(name))),
        Some(said) => said,
    };
    let mut cookie = Cookie::named(text(said, "name")?.unwrap_or("io"));
    if let Some(path) = said.get("path") {
        cookie.path = path.as_str().map(str::to_owned);
    }
    cookie.domain = text(said, "domain")?.map(str::to_owned);
    cookie.http_only = boolean(said, "httpOnly")?.unwrap_or(true);
    cookie.secure = boolean(said, "secure")?.unwrap_or(false);
    cookie.partitioned = boolean(said, "partitioned")?.unwrap_or(false);
    cookie.max_age = time(said, "maxAge")?.map(|time| time * 1000);
    cookie.same_site = match said.get("sameSite") {
        None => Some(SameSite::Lax),
        Some(Value::Bool(false)) => None,
        Some(Value::Bool(true)) => Some(SameSite::Strict),
        Some(name) => match name.as_str().map(str::to_ascii_lowercase).as_deref() {
            Some("strict") => Some(SameSite::Strict),
            Some("lax") => Some(SameSite::Lax),
            Some("none") => Some(SameSite::None),
            _ => return Err(wrong("cookie.sameSite", "\"strict\", \"lax\" or \"none\"")),
        },
    };
    Ok(Some(cookie))
}

fn deflate(options: &Value) -> Result<Option<PerMessageDeflate>, Failure> {
    let said = match options.get("perMessageDeflate") {
        None | Some(Value::Null | Value::Bool(false)) => return Ok(None),
        Some(said) => said,
    };
    let mut deflate = PerMessageDeflate::default();
    if let Some(threshold) = size(said, "threshold")? {
        deflate.threshold = threshold;
    }
    if let Some(level) = said.get("zlibDeflateOptions").and_then(|zlib| zlib.get("level")) {
        let level = level.as_u64().and_then(|level| u8::try_from(level).ok());
        deflate.level =
            level.ok_or_else(|| wrong("perMessageDeflate.zlibDeflateOptions.level", "1 to 9"))?;
    }
    Ok(Some(deflate))
}

fn compression(options: &Value) -> Result<Option<usize>, Failure> {
    match options.get("httpCompression") {
        Some(Value::Bool(false)) => Ok(None),
        Some(said) => Ok(Some(size(said, "threshold")?.unwrap_or(1024))),
        None => Ok(Some(1024)),
    }
}

fn recovery(options: &Value) -> Result<Option<ConnectionStateRecovery>, Failure> {
    let said = match options.get("connectionStateRecovery") {
        None | Some(Value::Null | Value::Bool(false)) => return Ok(None),
        Some(said) => said,
    };
    let mut recovery = ConnectionStateRecovery::default();
    if let Some(time) = time(said, "maxDisconnectionDuration")? {
        recovery.max_disconnection_duration = time;
    }
    if let Some(skip) = boolean(said, "skipMiddlewares")? {
        recovery.skip_middlewares = skip;
    }
    Ok(Some(recovery))
}

/// The adapter over Redis; connecting is the adapter's matter, and goes on in the background.
fn redis_adapter(said: &Value) -> Result<RedisAdapter, Failure> {
    let url = text(said, "url")?.ok_or_else(|| wrong("redis.url", "a text"))?;
    let mut builder = RedisAdapter::builder(url);
    if let Some(key) = text(said, "key")? {
        builder = builder.key(key);
    }
    if let Some(time) = time(said, "requestsTimeout")? {
        builder = builder.request_timeout(time);
    }
    match text(said, "dialect")? {
        None | Some("4") => {}
        Some("2") => builder = builder.dialect(socketio_redis::Dialect::Old),
        Some(_) => return Err(wrong("redis.dialect", "\"2\" or \"4\"")),
    }
    builder.build().map_err(|error| Failure::new(format!("option redis: {error}")))
}

// ---- members of objects -----------------------------------------------------------------------

fn member<'v>(object: &'v Value, name: &str) -> Option<&'v Value> {
    object.get(name).filter(|value| !value.is_null())
}

fn text<'v>(object: &'v Value, name: &str) -> Result<Option<&'v str>, Failure> {
    let Some(value) = member(object, name) else { return Ok(None) };
    value.as_str().map(Some).ok_or_else(|| wrong(name, "a text"))
}

fn boolean(object: &Value, name: &str) -> Result<Option<bool>, Failure> {
    let Some(value) = member(object, name) else { return Ok(None) };
    value.as_bool().map(Some).ok_or_else(|| wrong(name, "true or false"))
}

/// A whole number; what JavaScript writes with a fraction of nothing is one.
fn size(object: &Value, name: &str) -> Result<Option<usize>, Failure> {
    let Some(value) = member(object, name) else { return Ok(None) };
    let number = value.as_u64().or_else(|| {
        let float = value.as_f64().filter(|n| *n >= 0.0 && n.fract() == 0.0 && *n < MAX_WHOLE)?;
        Some(float as u64)
    });
    let number = number.and_then(|number| usize::try_from(number).ok());
    number.map(Some).ok_or_else(|| {
        Failure::out_of_range(format!("option {name}: {value} is no whole number from 0 on"))
    })
}

/// Milliseconds.
fn time(object: &Value, name: &str) -> Result<Option<Duration>, Failure> {
    let Some(value) = member(object, name) else { return Ok(None) };
    let time = value.as_f64().and_then(|ms| Duration::try_from_secs_f64(ms / 1000.0).ok());
    time.map(Some).ok_or_else(|| {
        Failure::out_of_range(format!("option {name}: {value} is no time in milliseconds"))
    })
}

fn wrong(name: &str, wanted: &str) -> Failure {
    Failure::wrong_type(format!("option {name}: {wanted} is wanted"))
}

fn refused(error: impl std::fmt::Display) -> Failure {
    Failure::out_of_range(error.to_string())
}

/// Makes the server.
pub(crate) fn build(builder: Builder) -> Result<Server, Failure> {
    builder.build().map_err(refused)
}

/// What a batch of commands may name: kept small by the layer.
pub(crate) fn parse(text: &str) -> Result<Arc<Value>, Failure> {
    let value = serde_json::from_str(text);
    value.map(Arc::new).map_err(|error| Failure::wrong_type(format!("options: {error}")))
}

/// The greatest number up to which all whole ones are.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;
