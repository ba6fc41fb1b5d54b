//! The options and the profile of the suite without sticky sessions, `../../nosticky/README.md`: other
//! nodes, and what it asks of the handlers and beside the path.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::json;
use socketio::serve::nodes::Nodes;
use socketio::{Ack, BoxError, Builder, Data, Server, Socket, Value};
use socketio_redis::RedisAdapter;
use tower_service::Service;

use crate::common::{label_of, report};
use crate::outside::Outside;

/// What is on the command line beside port and profile.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) listen: Option<String>,
    pub(crate) nodes: Option<String>,
    pub(crate) secret: Option<String>,
    pub(crate) hold: Option<u64>,
    pub(crate) max_relayed: Option<usize>,
    pub(crate) redis: Option<String>,
    pub(crate) key: Option<String>,
}

/// What a node has beside its server.
#[derive(Default)]
pub(crate) struct Joined {
    nodes: Option<Nodes>,
    listen: Option<String>,
    redis: Option<RedisAdapter>,
}

impl Options {
    /// Gives a server its adapter and its nodes, if they are asked for.
    pub(crate) fn join(&self, mut builder: Builder) -> Result<(Builder, Joined), BoxError> {
        let mut joined = Joined::default();
        if let Some(url) = &self.redis {
            let key = self.key.as_deref().unwrap_or("socket.io");
            let redis = RedisAdapter::builder(url.as_str()).key(key).build()?;
            builder = builder.adapter(redis.clone());
            joined.redis = Some(redis);
        }
        let (Some(listen), Some(nodes)) = (&self.listen, &self.nodes) else {
            return Ok((builder, joined));
        };
        let nodes = match (nodes.strip_prefix("fixed:"), &joined.redis) {
            (Some(list), _) => {
                let list: Vec<_> = list.split(',').filter_map(|one| one.split_once('=')).collect();
                let own = list.iter().find(|(_, address)| address == listen);
                let (name, _) =
                    own.ok_or("no node of the list has the address of --nodes-listen")?;
                Nodes::fixed(list.clone()).name(*name)
            }
            (None, Some(redis)) if nodes == "redis" => Nodes::over(redis).advertise(listen),
            _ => return Err("--nodes is fixed:TAG=ADDR,.. or, with --redis, redis".into()),
        };
        let nodes = match &self.secret {
            Some(secret) => nodes.secret(secret),
            None => nodes,
        };
        let nodes = match self.max_relayed {
            Some(max) => nodes.max_relayed(max),
            None => nodes,
        };
        let nodes = match self.hold {
            Some(ms) => nodes.hold(Duration::from_millis(ms)),
            None => nodes,
        };
        let nodes = nodes.build()?;
        builder = builder.nodes(nodes.clone());
        joined.nodes = Some(nodes);
        joined.listen = Some(listen.clone());
        Ok((builder, joined))
    }
}

impl Joined {
    /// Before clients come: what the broker has to know, and the other nodes.
    pub(crate) async fn ready(&self) -> Result<(), BoxError> {
        if let Some(redis) = &self.redis {
            redis.ready().await;
        }
        if let (Some(nodes), Some(listen)) = (&self.nodes, &self.listen) {
            nodes.listen(listen.as_str()).await?;
        }
        Ok(())
    }

    pub(crate) fn tag(&self) -> String {
        self.nodes.as_ref().map(|nodes| nodes.tag().to_string()).unwrap_or_default()
    }
}

/// The handlers of the profile.
pub(crate) fn add(io: &Server, tag: &str) {
    let notes: Arc<Mutex<HashMap<String, Vec<Value>>>> = Arc::default();
    let (server, tag) = (io.clone(), tag.to_owned());
    io.on_connection(move |socket: Socket| {
        let conn = socket.conn();
        report(
            &server,
            [
                ("ev", "connected".into()),
                ("label", label_of(&socket).map_or(Value::Null, Value::from)),
                ("nsp", "/".into()),
                ("node", tag.as_str().into()),
                ("sid", conn.id().into()),
                ("protocol", u64::from(conn.protocol().number()).into()),
                ("transport", conn.transport().as_str().into()),
            ],
        );
        let node = tag.clone();
        socket.on("node", move |ack: Ack| ack.send(&node));
        socket.on("internal", |socket: Socket, ack: Ack| {
            let headers = socket.request().headers();
            let internal = headers.filter(|(name, _)| name.starts_with("x-sio-"));
            let mut names: Vec<String> = internal.map(|(name, _)| name.to_owned()).collect();
            names.sort();
            ack.send(socketio::emit::One(names))
        });
        let all = Arc::clone(&notes);
        socket.on("note", move |Data((label, value)): Data<(String, Value)>| {
            all.lock().expect("no handler panics here").entry(label).or_default().push(value);
        });
        let all = Arc::clone(&notes);
        socket.on("notes", move |Data(label): Data<String>, ack: Ack| {
            let of_label = all.lock().expect("no handler panics here").get(&label).cloned();
            ack.send(socketio::emit::One(of_label.unwrap_or_default()))
        });
    });
}

/// What is answered beside the path: numbers, and the begin of a drain.
#[derive(Clone)]
pub(crate) struct Routes {
    pub(crate) io: Server,
    pub(crate) tag: String,
}

impl<B> Service<Request<B>> for Routes {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let body = match request.uri().path() {
            "/nosticky/stats" => self.stats(),
            "/nosticky/drain" => {
                let query = request.uri().query().unwrap_or_default();
                let over = query.strip_prefix("over=").and_then(|ms| ms.parse().ok()).unwrap_or(0);
                let draining = self.io.drain(Duration::from_millis(over));
                tokio::spawn(async move {
                    draining.await;
                    // no sessions are taken any more
                });
                String::new()
            }
            _ => return Outside.call(request),
        };
        let mut answer = Response::new(Full::from(body));
        *answer.status_mut() = StatusCode::OK;
        let json = header::HeaderValue::from_static("application/json");
        answer.headers_mut().insert(header::CONTENT_TYPE, json);
        ready(Ok(answer))
    }
}

impl Routes {
    fn stats(&self) -> String {
        let stats = self.io.stats();
        let relayed = stats.engine.relayed;
        let nodes = self.io.nodes();
        let others = nodes.iter().filter(|node| !node.is_self).map(|node| node.tag.to_string());
        json!({
            "tag": self.tag,
            "nodes": others.collect::<Vec<_>>(),
            "sessions": stats.engine.sessions,
            "draining": stats.engine.draining,
            "relayed": {"in": relayed.taken, "out": relayed.passed_on},
            "open": {"in": relayed.open_in, "out": relayed.open_out},
            "unknown": {
                "malformed": relayed.malformed,
                "gone": relayed.gone,
                "unknown_node": relayed.unknown_node,
                "owner_unreachable": relayed.owner_unreachable,
            },
            "refused_nodes": relayed.refused_nodes,
        })
        .to_string()
    }
}
