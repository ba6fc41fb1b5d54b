//! A server of JavaScript: what it is made of, and what it is asked.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use engineio_proto::guard::lock;
use serde_json::Value as Json;
use socketio::adapter::{Answers, ServerEvent};
use socketio::namespaces::Candidate;
use socketio::{BoxError, ConnectError, Namespace, Server, Socket};
use socketio_parser::RawArgs;
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use crate::commands::{self, Fields};
use crate::inbound::Inbound;
use crate::json;
use crate::node::{AtExit, Failure, Owned, TypeTag, Wake};
use crate::options::{self, Own};
use crate::questions::Questions;
use crate::records::{Record, quote};
use crate::requests::{Answering, Requests};
use crate::runner::{Carry, Commands, Runner};
use crate::runtime;
use crate::sockets::Sockets;
use crate::tap::{Records, with_array};

/// A server of JavaScript.
#[derive(Debug)]
pub(crate) struct Instance {
    records: Records,
    answering: Answering,
    runner: Runner,
    /// Namespaces by their numbers; held, so that none goes while JavaScript has it.
    namespaces: Mutex<Vec<Option<Namespace>>>,
    /// What is done for a namespace once.
    guarded: Mutex<HashSet<(u32, Once)>>,
    middleware: Arc<Questions<Result<(), ConnectError>>>,
    rules: Arc<Questions<bool>>,
    server_events: Arc<Questions<String>>,
    /// Whether the rule for dynamic namespaces is there.
    has_rule: AtomicBool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Once {
    Middleware,
    /// A listener for events of this name that other servers send.
    ServerEvent(String),
}

impl Owned for Instance {
    const TAG: TypeTag = TypeTag { lower: 0x8d3f_60c1_92ab_4e07, upper: 0x5b1e_c9f2_7340_a6d8 };
}

impl Instance {
    /// Makes a server.
    pub(crate) fn new(options: &Json, wake: Wake) -> Result<Arc<Self>, Failure> {
        let own = Own::read(options)?;
        let runtime = runtime::handle(own.threads)?;
        let _runtime = runtime.enter();
        let builder = options::builder(options)?;
        let records = Records {
            inbound: Arc::new(Inbound::new(wake, own.max_inbound_batch)),
            sockets: Arc::default(),
            conns: Arc::default(),
        };
        let io = options::build(builder.tap(records.clone()))?;
        let root = io.sockets().clone();
        Ok(Arc::new(Self {
            answering: Answering {
                io,
                inbound: Arc::clone(&records.inbound),
                requests: Arc::new(Requests::default()),
                runtime: runtime.clone(),
            },
            records,
            runner: Runner::default(),
            namespaces: Mutex::new(vec![Some(root)]),
            guarded: Mutex::default(),
            middleware: Arc::default(),
            rules: Arc::default(),
            server_events: Arc::default(),
            has_rule: AtomicBool::new(false),
        }))
    }

    pub(crate) fn io(&self) -> &Server {
        &self.answering.io
    }

    pub(crate) fn answering(&self) -> &Answering {
        &self.answering
    }

    pub(crate) fn inbound(&self) -> &Inbound {
        &self.records.inbound
    }

    pub(crate) fn sockets(&self) -> &Sockets {
        &self.records.sockets
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.answering.runtime
    }

    pub(crate) fn middleware(&self) -> &Questions<Result<(), ConnectError>> {
        &self.middleware
    }

    pub(crate) fn rules(&self) -> &Questions<bool> {
        &self.rules
    }

    pub(crate) fn server_events(&self) -> &Questions<String> {
        &self.server_events
    }

    /// The namespace with a number.
    pub(crate) fn namespace(&self, number: u32) -> Option<Namespace> {
        lock(&self.namespaces).get(number as usize)?.clone()
    }

    /// Has commands carried out: by a worker, or at once where there is one core only.
    pub(crate) fn run(self: &Arc<Self>, commands: Commands) {
        Runner::hand_over(self, commands, self.runtime());
        if runtime::cores() == 1 {
            let _runtime = self.runtime().enter();
            Runner::run(&**self);
        }
    }

    /// Carries out what waits, on this thread.
    pub(crate) fn catch_up(&self) {
        let _runtime = self.runtime().enter();
        Runner::run(self);
    }

    /// Answers a question of JavaScript, with JSON, when all commands before it were carried out.
    pub(crate) fn ask(self: &Arc<Self>, question: &str) -> Result<String, Failure> {
        self.catch_up();
        let _runtime = self.runtime().enter();
        let mut fields = Fields(question.split('\u{1}'));
        let kind = fields.next().unwrap_or_default();
        let answer = match kind {
            "sync" => Some(Json::Null),
            "namespace" => fields.next().map(|name| self.name(name).into()),
            "release" => fields.number().map(|number| self.release(number)),
            "middleware" => fields.number().map(|number| self.guard(number)),
            "serverEvent" => fields.number().zip(fields.next()).map(|(number, event)| {
                self.tell_server_events(number, event);
                Json::Null
            }),
            "rule" => Some(self.add_rule()),
            "conns" => {
                self.records.conns.store(true, Ordering::Relaxed);
                Some(Json::Null)
            }
            "rooms" => fields.number().map(|socket| self.rooms_of(socket)),
            "handshake" => fields.number().map(|socket| self.handshake(socket)),
            "allRooms" => fields.number().map(|number| self.all_rooms(number)),
            "local" => fields.operator(self).map(|operator| {
                let sockets = operator.map(|operator| operator.local_sockets());
                let ids = sockets.unwrap_or_default();
                ids.iter().map(|socket| socket.id().as_str()).collect()
            }),
            "conn" => fields.next().map(|conn| self.conn(conn)),
            "sessions" => Some(self.io().engine().session_count().into()),
            "waiting" => Some(self.inbound().bytes().into()),
            "abort" => fields.number().map(|request| {
                self.answering.abort(request);
                Json::Null
            }),
            "fetch" => {
                let question = fields.number();
                let operator = fields.operator(self);
                question.zip(operator).map(|(question, operator)| {
                    self.fetch(question, operator);
                    Json::Null
                })
            }
            "ack" => self.emit_with_ack(&mut fields),
            "serverAck" => self.server_ack(&mut fields),
            "listen" => return self.listen(&mut fields),
            "close" => Some(self.close()),
            _ => None,
        };
        let answer = answer.ok_or_else(|| Failure::new(format!("no such question: {kind}")))?;
        Ok(answer.to_string())
    }

    // ---- namespaces -----------------------------------------------------------------------------

    fn name(&self, name: &str) -> u32 {
        let namespace = self.io().of(name);
        let mut namespaces = lock(&self.namespaces);
        let same = |other: &Option<Namespace>| {
            other.as_ref().is_some_and(|other| other.name() == namespace.name())
        };
        let at = namespaces.iter().position(same).unwrap_or_else(|| {
            match namespaces.iter().position(Option::is_none) {
                Some(free) => {
                    namespaces[free] = Some(namespace.clone());
                    free
                }
                None => {
                    namespaces.push(Some(namespace.clone()));
                    namespaces.len() - 1
                }
            }
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// JavaScript has the namespace no more.
    fn release(&self, number: u32) -> Json {
        lock(&self.guarded).retain(|(of, _)| *of != number);
        let slot = lock(&self.namespaces).get_mut(number as usize).and_then(Option::take);
        drop(slot);
        Json::Null
    }

    fn is_first(&self, number: u32, what: Once) -> bool {
        lock(&self.guarded).insert((number, what))
    }

    /// Asks the middleware of JavaScript for each client from now on.
    fn guard(&self, number: u32) -> Json {
        let Some(namespace) =
            self.namespace(number).filter(|_| self.is_first(number, Once::Middleware))
        else {
            return Json::Null;
        };
        let (records, questions) = (self.records.clone(), Arc::clone(&self.middleware));
        namespace.use_fn(async move |socket: Socket| -> Result<(), BoxError> {
            let number = records.introduce(&socket);
            let (question, answer) = questions.ask();
            let mut asking = Asking { question, socket: number, questions, records };
            asking.records.inbound.push(Record::Middleware { question, socket: number });
            let answer = answer.await;
            // answered: whoever refused lets go of the number
            asking.question = 0;
            match answer {
                Ok(answer) => Ok(answer?),
                Err(_) => Err(ConnectError::new("server shutting down").into()),
            }
        });
        Json::Null
    }

    /// Asks JavaScript for the namespaces that do not exist, from now on.
    fn add_rule(&self) -> Json {
        if self.has_rule.swap(true, Ordering::Relaxed) {
            return Json::Null;
        }
        let (inbound, questions) = (Arc::clone(&self.records.inbound), Arc::clone(&self.rules));
        self.io().of_matching(async move |candidate: Candidate| -> bool {
            let (question, answer) = questions.ask();
            let auth = candidate.auth().map(|auth| json::text_of(&auth));
            inbound.push(Record::Namespace {
                question,
                name: &candidate.name,
                auth: auth.as_deref().unwrap_or("{}"),
            });
            answer.await.unwrap_or(false)
        });
        Json::Null
    }

    /// Tells JavaScript of the events that other servers send.
    fn tell_server_events(&self, number: u32, event: &str) {
        let once = Once::ServerEvent(event.to_owned());
        let namespace = self.namespace(number).filter(|_| self.is_first(number, once));
        let Some(namespace) = namespace else { return };
        let name = namespace.name().to_owned();
        let (inbound, questions) =
            (Arc::clone(&self.records.inbound), Arc::clone(&self.server_events));
        namespace.on_server_event(event, async move |event: ServerEvent| {
            let asked = event.is_reply_wanted().then(|| questions.ask());
            let question = asked.as_ref().map_or(0, |(question, _)| *question);
            let args = RawArgs::from_values(event.args().to_vec());
            with_array(Some(event.name()), &args, |array| {
                inbound.push(Record::ServerEvent { namespace: &name, question, array });
            });
            let Some((_, answer)) = asked else { return };
            if let Ok(value) = answer.await
                && let Some(value) = json::value_of(&value)
            {
                // nobody waits any more
                let _ = event.reply(value);
            }
        });
    }

    // ---- questions ------------------------------------------------------------------------------

    fn rooms_of(&self, socket: u32) -> Json {
        let Some(socket) = self.sockets().get(socket) else { return serde_json::json!([]) };
        socket.rooms().iter().map(|room| room.as_str()).collect()
    }

    fn handshake(&self, socket: u32) -> Json {
        let Some(socket) = self.sockets().get(socket) else { return Json::Null };
        // as nodes of a cluster tell each other
        let text = json::text_of(&socket.handshake().to_value());
        let mut handshake = serde_json::from_str(&text).unwrap_or(Json::Null);
        let request = socket.request();
        let raw: Vec<String> = request
            .headers()
            .flat_map(|(name, value)| {
                [name.to_owned(), value.iter().map(|byte| char::from(*byte)).collect()]
            })
            .collect();
        handshake["rawHeaders"] = raw.into();
        handshake["method"] = request.method().into();
        handshake["port"] = request.remote_addr().map(|address| address.port()).into();
        handshake
    }

    /// The rooms of a namespace on this node, each with the ids in it.
    fn all_rooms(&self, number: u32) -> Json {
        let mut rooms = serde_json::Map::new();
        let Some(namespace) = self.namespace(number) else { return rooms.into() };
        for socket in namespace.connected().iter() {
            for room in socket.rooms() {
                let ids = rooms.entry(room.as_str()).or_insert_with(|| serde_json::json!([]));
                if let Json::Array(ids) = ids {
                    ids.push(socket.id().as_str().into());
                }
            }
        }
        rooms.into()
    }

    fn conn(&self, conn: &str) -> Json {
        let Some(conn) = self.io().engine().session(conn) else { return Json::Null };
        serde_json::json!({
            "transport": conn.transport().as_str(),
            "queuedBytes": conn.queued_bytes(),
            "open": conn.is_open(),
        })
    }

    /// The sockets meant on all nodes, by a record.
    fn fetch(&self, question: u32, operator: Option<socketio::emit::BroadcastOperator>) {
        let inbound = Arc::clone(&self.records.inbound);
        self.runtime().spawn(async move {
            let answers = match operator {
                Some(operator) => operator.fetch_sockets().await,
                None => Ok(Answers::of_one_node(Vec::new())),
            };
            let result = answers.map_err(|error| error.to_string()).map(|answers| {
                let mut out = String::from("[");
                for (at, socket) in answers.items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    out.push_str("{\"id\":");
                    quote(&mut out, socket.id().as_str());
                    out.push_str(",\"handshake\":");
                    out.push_str(&json::text_of(socket.handshake()));
                    out.push_str(",\"rooms\":");
                    let rooms: Json = socket.rooms().iter().map(|room| room.as_str()).collect();
                    out.push_str(&rooms.to_string());
                    let data = socket.data::<socketio::Value>().unwrap_or_default();
                    out.push_str(",\"data\":");
                    out.push_str(&json::text_of(&data));
                    out.push('}');
                }
                out.push(']');
                out
            });
            let result = result.as_deref().map_err(String::as_str);
            inbound.push(Record::Reply { question, result });
        });
    }

    /// An event to many, on all nodes, whose answers are collected here, in a cluster.
    fn emit_with_ack(&self, fields: &mut Fields<'_>) -> Option<Json> {
        let (question, timeout) = (fields.number()?, fields.number()?);
        let operator = fields.operator(self)?;
        let (event, args) = read_event(fields.next()?)?;
        let inbound = Arc::clone(&self.records.inbound);
        self.runtime().spawn(async move {
            let Some(operator) = operator else {
                return inbound.push(Record::Reply { question, result: Ok("[[],0]") });
            };
            let timeout = std::time::Duration::from_millis(timeout.into());
            let operator = operator.timeout(timeout);
            let acks = operator.emit_with_ack::<socketio::Value>(&event, args);
            let result = match acks.await {
                Ok(acks) => {
                    let missing = !acks.is_complete();
                    let answers: Vec<String> =
                        acks.into_answers().iter().map(json::text_of).collect();
                    Ok(format!("[[{}],{}]", answers.join(","), u8::from(missing)))
                }
                Err(error) => Err(error.to_string()),
            };
            let result = result.as_deref().map_err(String::as_str);
            inbound.push(Record::Reply { question, result });
        });
        Some(Json::Null)
    }

    /// An event to the other servers, with their answers.
    fn server_ack(&self, fields: &mut Fields<'_>) -> Option<Json> {
        let (question, namespace) = (fields.number()?, fields.number()?);
        let (event, args) = read_event(fields.next()?)?;
        let namespace = self.namespace(namespace)?;
        let inbound = Arc::clone(&self.records.inbound);
        self.runtime().spawn(async move {
            let answers =
                namespace.server_side_emit_with_ack::<socketio::Value>(&event, args).await;
            let result = match answers {
                Ok(answers) => {
                    let items: Vec<String> = answers.items.iter().map(json::text_of).collect();
                    Ok(format!("[[{}],{}]", items.join(","), answers.missing.len()))
                }
                Err(error) => Err(error.to_string()),
            };
            let result = result.as_deref().map_err(String::as_str);
            inbound.push(Record::Reply { question, result });
        });
        Some(Json::Null)
    }

    // ---- ways in and out --------------------------------------------------------------------------

    /// Listens by a server of Rust; its port.
    fn listen(&self, fields: &mut Fields<'_>) -> Result<String, Failure> {
        let malformed = || Failure::wrong_type("an address cannot be read");
        let host = fields.next().ok_or_else(malformed)?;
        let port: u16 = fields.next().and_then(|port| port.parse().ok()).ok_or_else(malformed)?;
        let bound = self.runtime().block_on(async {
            match host {
                "" => match TcpListener::bind(("::", port)).await {
                    // a machine without the other family
                    Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
                        TcpListener::bind(("0.0.0.0", port)).await
                    }
                    bound => bound,
                },
                host => TcpListener::bind((host, port)).await,
            }
        });
        let listener = bound.map_err(|error| {
            let failure = Failure::new(format!("listen: {error}: {host}:{port}"));
            match error.kind() {
                std::io::ErrorKind::AddrInUse => failure.with_code("EADDRINUSE"),
                std::io::ErrorKind::PermissionDenied => failure.with_code("EACCES"),
                std::io::ErrorKind::AddrNotAvailable => failure.with_code("EADDRNOTAVAIL"),
                _ => failure,
            }
        })?;
        let attached = self.io().attach(listener);
        let attached = attached.map_err(|error| Failure::new(error.to_string()))?;
        let address: SocketAddr = attached.local_addr();
        Ok(serde_json::json!({ "address": address.ip().to_string(), "port": address.port() })
            .to_string())
    }

    /// Ends the server; a record tells when all connections are over.
    fn close(&self) -> Json {
        let closing = self.io().close();
        let inbound = Arc::clone(&self.records.inbound);
        self.runtime().spawn(async move {
            closing.await;
            inbound.push(Record::Closed);
        });
        Json::Null
    }
}

/// The name and the arguments of an event that is JSON.
fn read_event(json: &str) -> Option<(String, RawArgs<'static>)> {
    let event = socketio_parser::JsonArray::new(json, Vec::new());
    let (name, args) = event.read()?;
    Some((name, args.into_owned()))
}

impl Carry for Instance {
    fn runner(&self) -> &Runner {
        &self.runner
    }

    fn carry_out(&self, commands: Commands) {
        commands::carry_out(self, commands);
    }
}

/// Ends what a server is, with the environment that made it.
#[derive(Debug)]
pub(crate) struct End(pub(crate) std::sync::Weak<Instance>);

impl AtExit for End {
    fn at_exit(&self) {
        let Some(instance) = self.0.upgrade() else { return };
        instance.inbound().close();
        let _runtime = instance.runtime().enter();
        instance.middleware.clear();
        instance.rules.clear();
        instance.server_events.clear();
        instance.answering.requests.clear();
        drop(instance.io().close());
        instance.sockets().clear();
    }
}

/// A client that middleware of JavaScript looks at. Dropped before it is answered, the client is gone.
#[derive(Debug)]
struct Asking {
    question: u32,
    socket: u32,
    questions: Arc<Questions<Result<(), ConnectError>>>,
    records: Records,
}

impl Drop for Asking {
    fn drop(&mut self) {
        if self.question != 0 {
            self.questions.forget(self.question);
            self.records.inbound.push(Record::NotConnected { socket: self.socket });
        }
    }
}
