//! The errors that users meet, by who can act on them.

use std::error::Error;
use std::fmt;
use std::io;

use engineio::OptionsError;
use engineio_proto::log;
use socketio_parser::{ArgsError, EncodeError, Value};

/// Any error: what handlers may return and what `?` makes of all others.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why an emission did not go out.
#[derive(Debug)]
#[non_exhaustive]
pub enum EmitError {
    /// The socket is disconnected.
    Closed,
    /// The client's queue is full, and the packet was dropped as the slow-consumer policy says.
    Full,
    /// The event name is reserved for the library.
    Reserved(String),
    /// The arguments cannot be encoded.
    Encode(EncodeError),
    /// The acknowledgement was sent before.
    AlreadyAcknowledged,
    /// A broadcast asked for acknowledgements without saying how long to wait for them, by
    /// [`BroadcastOperator::timeout`](crate::emit::BroadcastOperator::timeout).
    NoTimeout,
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the socket is disconnected"),
            Self::Full => f.write_str("the client's queue is full"),
            Self::Reserved(name) => write!(f, "\"{name}\" is a reserved event name"),
            Self::Encode(error) => write!(f, "the arguments cannot be encoded: {error}"),
            Self::AlreadyAcknowledged => f.write_str("the event was acknowledged before"),
            Self::NoTimeout => {
                f.write_str("a broadcast that asks for acknowledgements needs a timeout")
            }
        }
    }
}

impl Error for EmitError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            _ => None,
        }
    }
}

impl From<EncodeError> for EmitError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

/// Why an acknowledgement was not received.
#[derive(Debug)]
#[non_exhaustive]
pub enum AckError {
    /// The event did not go out.
    Emit(EmitError),
    /// The client did not answer in time, or so many later events wait for an answer that this one
    /// was given up.
    Timeout,
    /// The socket was disconnected before the client answered.
    Disconnected,
    /// The answer is not of the expected type.
    Decode(ArgsError),
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emit(error) => error.fmt(f),
            Self::Timeout => f.write_str("the client did not acknowledge in time"),
            Self::Disconnected => f.write_str("the socket was disconnected before it acknowledged"),
            Self::Decode(error) => write!(f, "the acknowledgement is of another type: {error}"),
        }
    }
}

impl Error for AckError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Emit(error) => Some(error),
            Self::Decode(error) => Some(error),
            _ => None,
        }
    }
}

/// A refusal by middleware, told to the client word by word: a namespace's middleware refuses a
/// socket, a socket's refuses an event. What other errors of middleware say the client is not told.
///
/// Clients 3.x and later get message and data in `connect_error`, clients 1.x and 2.x the data, or
/// without data the message, in `error`.
///
/// ```
/// use socketio::ConnectError;
///
/// let plain: ConnectError = "not allowed".into();
/// let quota = ConnectError::new("over quota").data(&[("limit", 10)]);
/// # let _ = (plain, quota);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectError {
    message: String,
    data: Option<Value>,
}

impl ConnectError {
    /// A refusal with a message.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), data: None }
    }

    /// Adds data for the client's program. What cannot be encoded is left out, with a warning in
    /// the log: a refusal must not fail.
    #[must_use]
    pub fn data<T: serde::Serialize + ?Sized>(mut self, data: &T) -> Self {
        match socketio_parser::to_value(data) {
            Ok(data) => self.data = Some(data),
            Err(error) => log!(warn: %error, "the data of a refusal cannot be encoded"),
        }
        self
    }

    pub(crate) fn with_value(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn value(&self) -> Option<&Value> {
        self.data.as_ref()
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ConnectError {}

impl From<&str> for ConnectError {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<String> for ConnectError {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

/// An option that makes no sense.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// An option of the engine.
    Options(OptionsError),
    /// The client's files cannot be read.
    ClientFiles(io::Error),
    /// Two engines of one server have this path.
    DuplicatePath(String),
    /// An engine that is to be bound serves something else already.
    EngineInUse,
    /// The nodes of a cluster do not fit together.
    Nodes(NodesError),
}

/// Why nodes of a cluster cannot be, or not listen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodesError {
    /// Two nodes have this name, or names with the same tag.
    Duplicate {
        /// The name of the one.
        name: String,
        /// The name of the other.
        other: String,
    },
    /// The nodes are known from the start, and this one's name is none of theirs, or not given.
    NotListed,
    /// The adapter has no broker over which nodes could tell each other of themselves.
    NoBroker,
    /// Others reach this node at this address, and there is no secret.
    NoSecret(String),
    /// It listens on all addresses, and nothing says which one the other nodes reach.
    Unadvertised,
    /// Name and address are longer than what a node tells of itself may be, 512 bytes.
    TooLong,
    /// The nodes were given to a server before.
    InUse,
    /// The nodes were not given to a server.
    NoServer,
    /// The nodes have no folder of sockets.
    NoFolder,
}

impl fmt::Display for NodesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate { name, other } if name == other => {
                write!(f, "two nodes are called {name:?}")
            }
            Self::Duplicate { name, other } => {
                write!(f, "the nodes {name:?} and {other:?} have one tag: one needs another name")
            }
            Self::NotListed => f.write_str("the name of this node is none of those of the nodes"),
            Self::NoBroker => f.write_str("the adapter has no broker for nodes to meet over"),
            Self::NoSecret(address) => {
                write!(f, "nodes that listen on {address}, which others reach, need a secret")
            }
            Self::Unadvertised => f.write_str(
                "a node that listens on all addresses needs one at which others reach it                  (`advertise`)",
            ),
            Self::TooLong => f.write_str("name and address of a node are too long"),
            Self::InUse => f.write_str("the nodes were given to another server"),
            Self::NoServer => f.write_str("the nodes must be given to a server, by its builder"),
            Self::NoFolder => f.write_str("the nodes have no folder of sockets"),
        }
    }
}

impl Error for NodesError {}

impl From<NodesError> for BuildError {
    fn from(error: NodesError) -> Self {
        Self::Nodes(error)
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Options(error) => error.fmt(f),
            Self::ClientFiles(error) => write!(f, "option serve_client: {error}"),
            Self::DuplicatePath(path) => {
                write!(f, "the server has an engine under the path {path:?} already")
            }
            Self::EngineInUse => f.write_str("the engine serves something else already"),
            Self::Nodes(error) => error.fmt(f),
        }
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Options(error) => Some(error),
            Self::ClientFiles(error) => Some(error),
            Self::Nodes(error) => Some(error),
            Self::DuplicatePath(_) | Self::EngineInUse => None,
        }
    }
}

impl From<OptionsError> for BuildError {
    fn from(error: OptionsError) -> Self {
        Self::Options(error)
    }
}
