//! A Socket.IO client for tests of handlers: both protocols, several namespaces, acks, binary.
//!
//! It does only what it is told to, and reads only while something waits. What arrives while it
//! waits for something else is kept until it is asked for. It never connects anew.

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::event::{Args, Event, read};
use crate::http::Response;
use crate::inbox::Inbox;
use crate::protocol::{Eio, SocketIoKind, SocketIoPacket};
use crate::session::{Session, Transport};
use crate::stream::Connector;
use crate::wait::{during, silence, within};

/// A Socket.IO client. Dropping it breaks the connection.
///
/// Pings are answered (with [`Eio::V3`]: sent) while the client waits. A test that moves the clock
/// by more than the server's patience does so with [`let_pass`](Self::let_pass).
#[derive(Debug)]
pub struct Client {
    session: Session,
    eio: Eio,
    namespace: String,
    /// The id of the socket in each namespace.
    ids: Vec<(String, String)>,
    next_ack: u64,
    inbox: Inbox,
}

impl Client {
    /// Joins the namespace `/` over WebSocket with the newest protocol. Panics if refused.
    #[track_caller]
    pub fn connect(server: &Connector) -> impl Future<Output = Self> {
        within("a Socket.IO connection", async move {
            Self::builder().open(server).await?.map_err(|error| error.to_string())
        })
    }

    /// A client with other choices than those of [`connect`](Self::connect).
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            namespace: "/".to_owned(),
            auth: None,
            query: String::new(),
            protocol: Eio::V4,
            transport: Transport::WebSocket,
        }
    }

    /// Emits an event. A connection that has ended swallows it; the next read will tell.
    #[track_caller]
    pub fn emit(&mut self, name: &str, args: impl Into<Args>) -> impl Future<Output = ()> {
        let args = args.into().with_first(name);
        within("the server to read", async move {
            let namespace = self.namespace.clone();
            self.send(SocketIoKind::Event, namespace, None, args).await
        })
    }

    /// Emits an event and waits for the ack. Its attachments are left out; see
    /// [`emit_expecting_ack`](Self::emit_expecting_ack).
    #[track_caller]
    pub fn emit_with_ack(
        &mut self,
        name: &str,
        args: impl Into<Args>,
    ) -> impl Future<Output = Vec<Value>> {
        let args = args.into().with_first(name);
        within("an ack", async move {
            let id = self.send_expecting_ack(args).await?;
            Ok(self.read_ack(id).await?.values)
        })
    }

    /// As [`emit_with_ack`](Self::emit_with_ack), and reads the ack as `T`: one argument as itself,
    /// several as a tuple, none as `()`. Panics if it does not fit.
    #[track_caller]
    pub fn emit_with_ack_as<T: DeserializeOwned>(
        &mut self,
        name: &str,
        args: impl Into<Args>,
    ) -> impl Future<Output = T> {
        let args = args.into().with_first(name);
        within("an ack", async move {
            let id = self.send_expecting_ack(args).await?;
            read(&self.read_ack(id).await?.values)
        })
    }

    /// Emits an event that asks for an ack, and gives the id of the ack.
    #[track_caller]
    pub fn emit_expecting_ack(
        &mut self,
        name: &str,
        args: impl Into<Args>,
    ) -> impl Future<Output = u64> {
        let args = args.into().with_first(name);
        within("the server to read", async move { self.send_expecting_ack(args).await })
    }

    /// Waits for the ack of this id.
    #[track_caller]
    pub fn ack(&mut self, id: u64) -> impl Future<Output = Args> {
        within("an ack", self.read_ack(id))
    }

    /// Panics if the ack of this id arrives, or the connection ends, within `duration`.
    #[track_caller]
    pub fn expect_no_ack(&mut self, id: u64, duration: Duration) -> impl Future<Output = ()> {
        silence(duration, self.read_ack(id))
    }

    /// Waits for the next event, of any namespace.
    #[track_caller]
    pub fn next_event(&mut self) -> impl Future<Output = Event> {
        within("an event", self.wait(|inbox| inbox.events.pop_front()))
    }

    /// Panics if an event arrives, or the connection ends, within `duration`.
    #[track_caller]
    pub fn expect_silence(&mut self, duration: Duration) -> impl Future<Output = ()> {
        silence(duration, self.wait(|inbox| inbox.events.pop_front()))
    }

    /// Lets time pass and keeps the connection alive meanwhile. What arrives, and the end of the
    /// connection, are kept for who asks.
    ///
    /// On a paused clock this is how a test moves the time: an hour takes none, and all that is due
    /// in it happens in its order.
    #[track_caller]
    pub fn let_pass(&mut self, duration: Duration) -> impl Future<Output = ()> {
        during(duration, async move {
            loop {
                if self.inbox.closed {
                    std::future::pending::<()>().await;
                }
                self.take_in().await?;
            }
        })
    }

    /// Answers an event that asked for an ack.
    ///
    /// # Panics
    ///
    /// If the event did not ask.
    #[track_caller]
    pub fn reply(&mut self, event: &Event, args: impl Into<Args>) -> impl Future<Output = ()> {
        let args = args.into();
        let id = event.id.expect("the event should ask for an ack");
        let namespace = event.namespace.clone();
        within("the server to read", async move {
            self.send(SocketIoKind::Ack, namespace, Some(id), args).await
        })
    }

    /// Joins one more namespace; an error is what the server says to a refusal.
    ///
    /// `auth` may be `None` and is not sent with [`Eio::V3`], where a query in the name takes its
    /// place: `/chat?token=x`. Events are emitted to the former namespace until
    /// [`switch_namespace`](Self::switch_namespace).
    #[track_caller]
    pub fn join_namespace(
        &mut self,
        namespace: &str,
        auth: impl Into<Option<Value>>,
    ) -> impl Future<Output = Result<(), Value>> {
        let auth = auth.into();
        within("the answer to a CONNECT", self.join(namespace.to_owned(), auth))
    }

    /// Chooses to which of the joined namespaces the client emits.
    pub fn switch_namespace(&mut self, namespace: &str) {
        namespace.clone_into(&mut self.namespace);
    }

    /// Leaves a namespace; the connection stays.
    #[track_caller]
    pub fn leave_namespace(&mut self, namespace: &str) -> impl Future<Output = ()> {
        let namespace = namespace.to_owned();
        within("the server to read", async move { self.leave(namespace).await })
    }

    /// Leaves the client's namespace and closes the connection, as a client does that means to go.
    #[track_caller]
    pub fn disconnect(&mut self) -> impl Future<Output = ()> {
        within("the server to read", async move {
            self.leave(self.namespace.clone()).await?;
            self.session.close().await
        })
    }

    /// Waits until the server disconnects the client's namespace or ends the connection. Events
    /// that come before are kept.
    #[track_caller]
    pub fn closed(&mut self) -> impl Future<Output = Closed> {
        let namespace = self.namespace.clone();
        within(
            "the end of the connection",
            self.wait(move |inbox| {
                let left = inbox.disconnects.iter().position(|left| *left == namespace);
                match left {
                    Some(at) => {
                        inbox.disconnects.remove(at);
                        Some(Closed::Namespace)
                    }
                    None => inbox.closed.then_some(Closed::Connection),
                }
            }),
        )
    }

    /// The id of the socket in the client's namespace.
    ///
    /// # Panics
    ///
    /// If that namespace was not joined.
    #[track_caller]
    pub fn id(&self) -> &str {
        let joined = self.ids.iter().rfind(|(namespace, _)| *namespace == self.namespace);
        &joined.expect("the namespace should be joined").1
    }

    /// The content of the open packet.
    pub fn handshake(&self) -> &Value {
        self.session.handshake()
    }

    async fn join(
        &mut self,
        target: String,
        auth: Option<Value>,
    ) -> Result<Result<(), Value>, String> {
        let namespace = target.split('?').next().unwrap_or_default().to_owned();
        // Socket.IO v4: the server joins everybody to "/"
        if self.eio == Eio::V4 || namespace != "/" {
            let content = auth.filter(|_| self.eio == Eio::V4).unwrap_or_default();
            let packet = SocketIoPacket::new(SocketIoKind::Connect, content);
            let packet = SocketIoPacket { namespace: target, ..packet };
            self.session.send(&packet.encode()).await?;
        }
        let joined = self
            .wait(|inbox| {
                let at = inbox.joins.iter().position(|(joined, _)| *joined == namespace)?;
                Some(inbox.joins.remove(at).1)
            })
            .await?;
        let content = match joined {
            Ok(content) => content,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let sid = match self.eio {
            Eio::V3 => &self.session.handshake()["sid"],
            Eio::V4 => &content["sid"],
        };
        let sid = sid.as_str().ok_or_else(|| format!("no sid in {content}"))?;
        let id = match self.eio {
            Eio::V3 if namespace != "/" => format!("{namespace}#{sid}"),
            _ => sid.to_owned(),
        };
        self.ids.push((namespace, id));
        Ok(Ok(()))
    }

    async fn leave(&mut self, namespace: String) -> Result<(), String> {
        let packet = SocketIoPacket::new(SocketIoKind::Disconnect, Value::Null);
        self.session.send(&SocketIoPacket { namespace, ..packet }.encode()).await
    }

    async fn send_expecting_ack(&mut self, args: Args) -> Result<u64, String> {
        let id = self.next_ack;
        self.next_ack += 1;
        let namespace = self.namespace.clone();
        self.send(SocketIoKind::Event, namespace, Some(id), args).await?;
        Ok(id)
    }

    async fn read_ack(&mut self, id: u64) -> Result<Args, String> {
        let namespace = self.namespace.clone();
        self.wait(|inbox| {
            let at = inbox.acks.iter().position(|ack| ack.0 == namespace && ack.1 == id)?;
            Some(inbox.acks.remove(at).2)
        })
        .await
    }

    async fn send(
        &mut self,
        kind: SocketIoKind,
        namespace: String,
        id: Option<u64>,
        args: Args,
    ) -> Result<(), String> {
        let Args { values, attachments } = args;
        let content = Value::Array(values);
        let packet = SocketIoPacket { kind, namespace, id, content, attachments };
        self.session.send(&packet.encode()).await
    }

    /// Reads until there is what `take` looks for. May be given up while it waits.
    async fn wait<T>(
        &mut self,
        mut take: impl FnMut(&mut Inbox) -> Option<T>,
    ) -> Result<T, String> {
        loop {
            if let Some(found) = take(&mut self.inbox) {
                return Ok(found);
            }
            if self.inbox.closed {
                return Err("the server ended the connection".to_owned());
            }
            self.take_in().await?;
        }
    }

    /// Takes in what comes next. May be given up while it waits.
    async fn take_in(&mut self) -> Result<(), String> {
        match self.session.receive().await? {
            Some(message) => self.inbox.accept(message)?,
            None => self.inbox.closed = true,
        }
        Ok(())
    }
}

/// The choices for a [`Client`].
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    namespace: String,
    auth: Option<Value>,
    query: String,
    protocol: Eio,
    transport: Transport,
}

impl ClientBuilder {
    /// The namespace to join: `/` unless set. With [`Eio::V3`] it may have a query.
    #[must_use]
    pub fn namespace(self, namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..self }
    }

    /// What is sent along with CONNECT. Not with [`Eio::V3`].
    #[must_use]
    pub fn auth(self, auth: Value) -> Self {
        Self { auth: Some(auth), ..self }
    }

    /// What is appended to the query of each request, as it is: `token=x&room=y`.
    #[must_use]
    pub fn query(self, query: &str) -> Self {
        Self { query: query.to_owned(), ..self }
    }

    /// The protocol: [`Eio::V4`] unless set.
    #[must_use]
    pub fn protocol(self, protocol: Eio) -> Self {
        Self { protocol, ..self }
    }

    /// The transport: [`Transport::WebSocket`] unless set.
    #[must_use]
    pub fn transport(self, transport: Transport) -> Self {
        Self { transport, ..self }
    }

    /// Connects and joins the namespace.
    #[track_caller]
    pub fn connect(self, server: &Connector) -> impl Future<Output = Result<Client, ConnectError>> {
        within("a Socket.IO connection", self.open(server))
    }

    async fn open(self, server: &Connector) -> Result<Result<Client, ConnectError>, String> {
        let Self { namespace, auth, query, protocol: eio, transport } = self;
        let session = match Session::open(server, eio, &query, transport).await? {
            Ok(session) => session,
            Err(response) => return Ok(Err(ConnectError::Handshake(response))),
        };
        let (ids, inbox) = (Vec::new(), Inbox::default());
        let mut client =
            Client { session, eio, namespace: "/".to_owned(), ids, next_ack: 0, inbox };
        // Socket.IO v4: "/" is joined in any case, and may be what refuses
        if eio == Eio::V3 && namespace != "/" {
            if let Err(refusal) = client.join("/".to_owned(), None).await? {
                return Ok(Err(ConnectError::Namespace(refusal)));
            }
        }
        if let Err(refusal) = client.join(namespace.clone(), auth).await? {
            return Ok(Err(ConnectError::Namespace(refusal)));
        }
        client.switch_namespace(namespace.split('?').next().unwrap_or_default());
        Ok(Ok(client))
    }
}

/// Who refused a client. Complete: there is no third place to be refused.
#[derive(Clone, Debug)]
pub enum ConnectError {
    /// Engine.IO did, by this response to the first request.
    Handshake(Response),
    /// The namespace did, or its middleware, by a CONNECT_ERROR of this content.
    Namespace(Value),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake(response) => write!(f, "the server refused: {response:?}"),
            Self::Namespace(content) => write!(f, "the namespace refused: {content}"),
        }
    }
}

impl std::error::Error for ConnectError {}

/// How a connection ended. Complete: a server can do one or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The server disconnected the client's namespace; the connection may last.
    Namespace,
    /// The connection ended.
    Connection,
}
