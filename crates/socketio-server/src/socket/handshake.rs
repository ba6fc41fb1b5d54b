//! What is known of a socket's handshake.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use engineio::Request;
use engineio_proto::handshake::pairs;
use serde::de::value::MapDeserializer;
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use socketio_parser::explain::{self, Node};
use socketio_parser::{ArgsError, IndexMap, One, RawArgs, Value};

use crate::client::Client;
use crate::socket::Socket;

/// What a client sent with its wish to join, as it came: nothing is made of it before it is known
/// that somebody will want it.
#[derive(Default)]
pub(crate) struct Wish<'a> {
    /// The parameters of the namespace, in protocol 4.
    pub(crate) query: Option<&'a str>,
    pub(crate) auth: Option<RawArgs<'a>>,
}

impl Wish<'_> {
    /// What is to be kept of it; `None` if the client sent nothing.
    pub(crate) fn keep(self, client: &Client) -> Option<Arc<Credentials>> {
        let sent = match self.query {
            Some(query) => Sent::Query(query.into()),
            None => Sent::Auth(self.auth?.into_owned()),
        };
        let credentials = Credentials { sent, client: client.clone() };
        client.keep(credentials.kept_bytes());
        Some(Arc::new(credentials))
    }
}

/// What the client asked with, when it wanted to join: kept as it came, and read by who wants to
/// know. A tree of values would take many times as much, for each namespace of each connection.
#[derive(Debug)]
pub(crate) struct Credentials {
    sent: Sent,
    /// Whose memory it is.
    client: Client,
}

#[derive(Debug)]
enum Sent {
    /// One argument.
    Auth(RawArgs<'static>),
    /// The parameters of a namespace, of clients before 3.x.
    Query(Box<str>),
}

impl Credentials {
    fn kept_bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.sent {
                Sent::Auth(auth) => auth.kept_bytes(),
                Sent::Query(query) => query.len(),
            }
    }

    pub(crate) fn query(&self) -> Option<&str> {
        match &self.sent {
            Sent::Auth(_) => None,
            Sent::Query(query) => Some(query),
        }
    }

    // Node: handshake.auth of EIO 3 clients, as 4.8.4
    pub(crate) fn auth(&self) -> Value {
        match &self.sent {
            Sent::Auth(auth) => auth.to_values().pop().unwrap_or_default(),
            Sent::Query(query) => pairs(query)
                .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
                .collect(),
        }
    }

    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        match &self.sent {
            Sent::Auth(auth) => auth.deserialize::<One<T>>().map(|One(auth)| auth),
            Sent::Query(_) => socketio_parser::from_value(self.auth()),
        }
    }

    /// The same as a tree, for who wants to say what is wrong with it.
    pub(crate) fn node(&self) -> Node {
        match &self.sent {
            Sent::Auth(auth) => explain::nodes(auth).pop().unwrap_or(Node::Null),
            Sent::Query(_) => Node::from(self.auth()),
        }
    }

    /// What it takes as a value, see [`RawArgs::value_bytes`].
    pub(crate) fn value_bytes(&self) -> usize {
        match &self.sent {
            Sent::Auth(auth) => auth.value_bytes(),
            Sent::Query(query) => {
                RawArgs::from_values(vec![self.auth()]).value_bytes() + query.len()
            }
        }
    }
}

/// What is read of a client that sent nothing: an empty object where a type wants an object, as
/// `handshake.auth` of Node is one, else `null`.
pub(crate) struct Nothing;

impl<'de> Deserializer<'de> for Nothing {
    type Error = ArgsError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        let none = std::iter::empty::<(&str, &str)>();
        visitor.visit_map(MapDeserializer::new(none))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        self.deserialize_map(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct enum identifier ignored_any
    }
}

impl Drop for Credentials {
    fn drop(&mut self) {
        self.client.release(self.kept_bytes());
    }
}

/// What is known of a socket's handshake: of the request that opened its connection, and of the
/// client's wish to join the namespace.
// Node: socket.handshake
#[derive(Clone, Copy, Debug)]
pub struct Handshake<'a> {
    socket: &'a Socket,
}

impl<'a> Handshake<'a> {
    pub(crate) fn new(socket: &'a Socket) -> Self {
        Self { socket }
    }

    /// The request that opened the connection.
    #[must_use]
    pub fn request(&self) -> &'a Request {
        self.socket.request()
    }

    /// A header of the request, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.request().header(name)
    }

    /// The parameters: those of the request's query, and, for clients 1.x and 2.x, those given
    /// with the namespace, which win. The engine's own (`EIO`, `transport`, ...) are among them.
    // Node: socket.handshake, as 2.5
    pub fn query(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a> {
        let own = self.socket.credentials().and_then(Credentials::query).unwrap_or_default();
        let overridden = move |name: &str| pairs(own).any(|(own, _)| own == name);
        let request = pairs(self.request().query()).filter(move |(name, _)| !overridden(name));
        request.chain(pairs(own))
    }

    /// One parameter; of several with the name, the last.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Cow<'a, str>> {
        self.query().filter(|(key, _)| key == name).last().map(|(_, value)| value)
    }

    /// What the client sent with its wish to join: `auth` of clients 3.x and later, the parameters
    /// given with the namespace of clients before. It is kept as text and read by each call; a value
    /// of your own to be looked at often is better put into
    /// [`Socket::extensions`](crate::Socket::extensions).
    #[must_use]
    pub fn auth(&self) -> Option<Value> {
        self.socket.credentials().map(Credentials::auth)
    }

    /// The same as a type, read from the text; if the client sent nothing, a struct or a map from an
    /// empty object, all else from `null`.
    ///
    /// ```
    /// # use socketio::{ConnectError, Server, Socket};
    /// #[derive(serde::Deserialize)]
    /// struct Login {
    ///     token: String,
    /// }
    ///
    /// # fn example(io: Server) {
    /// io.use_fn(async |socket: Socket| match socket.handshake().auth_as::<Login>() {
    ///     Ok(login) if login.token == "sesame" => Ok(()),
    ///     _ => Err(ConnectError::new("who are you?")),
    /// });
    /// # }
    /// ```
    ///
    /// # Errors
    /// Why it is not of that type.
    pub fn auth_as<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        match self.socket.credentials() {
            Some(credentials) => credentials.read(),
            None => T::deserialize(Nothing),
        }
    }

    /// The address of the client, if the HTTP server tells it: that of the TCP peer, or the one that
    /// a [trusted proxy](crate::Builder::trusted_proxies) tells.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.request().remote_addr().map(|addr| addr.ip())
    }

    /// Whether the client's connection is encrypted, as far as the
    /// [listener](crate::serve::Listener::is_secure) or a
    /// [trusted proxy](crate::Builder::trusted_proxies) says.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.request().is_secure()
    }

    /// Whether the request named an origin, as browsers do for requests across sites.
    #[must_use]
    pub fn is_xdomain(&self) -> bool {
        self.header("origin").is_some()
    }

    /// When the connection was opened.
    #[must_use]
    pub fn issued(&self) -> SystemTime {
        self.request().issued()
    }

    /// All of it as one object, as the servers of JavaScript have it and nodes of a cluster tell each
    /// other: `headers`, `time`, `address`, `xdomain`, `secure`, `issued`, `url`, `query` and `auth`.
    // Node: socket.handshake
    #[must_use]
    pub fn to_value(self) -> Value {
        let mut headers: IndexMap<String, Value> = IndexMap::new();
        for (name, value) in self.request().headers() {
            let value = String::from_utf8_lossy(value);
            let joined = match headers.get(name).and_then(Value::as_str) {
                Some(before) => format!("{before}, {value}"),
                None => value.into_owned(),
            };
            headers.insert(name.to_owned(), joined.into());
        }
        let query: IndexMap<String, Value> = self
            .query()
            .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
            .collect();
        let issued = self.issued().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let issued = i64::try_from(issued.as_millis()).unwrap_or(i64::MAX);
        let address = self.address().map(|address| address.to_string()).unwrap_or_default();
        let members: [(&str, Value); 9] = [
            ("headers", headers.into()),
            ("time", socketio_parser::date_to_text(issued).into()),
            ("address", address.into()),
            ("xdomain", self.is_xdomain().into()),
            ("secure", self.is_secure().into()),
            ("issued", issued.into()),
            ("url", self.request().uri().into()),
            ("query", query.into()),
            ("auth", self.auth().unwrap_or_else(|| IndexMap::new().into())),
        ];
        members.into_iter().collect()
    }
}
