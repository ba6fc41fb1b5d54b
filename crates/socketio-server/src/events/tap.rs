//! One listener for all that happens to all sockets of a server, for programs that keep listeners and
//! acknowledgements elsewhere: those in another language that this process runs.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use engineio::{CloseReason, TransportKind};
use engineio_proto::guard;
use engineio_proto::log;
use socketio_parser::RawArgs;

use crate::client::Client;
use crate::reason::DisconnectReason;
use crate::socket::Socket;

/// Is told of all that happens to the sockets of a server, in place of their own listeners, see
/// [`Builder::tap`](crate::Builder::tap).
///
/// Events and acknowledgements go to the tap alone: listeners of events, event middleware and
/// [`Socket::emit_with_ack`] get nothing. Middleware and rules of namespaces stay as they are, and so
/// do the listeners of `connection`, `disconnecting`, `disconnect` and `error`, which run behind the tap.
///
/// Methods are called in the connection's task, so those of one connection in the order of what
/// happened; what blocks holds it up. A panic ends that connection alone.
///
/// ```
/// use socketio::events::embed::{JsonArray, RawArgs, Tap};
/// use socketio::{Server, Socket};
///
/// /// Answers with what it gets, as text that nobody looks into.
/// struct Echo;
///
/// impl Tap for Echo {
///     fn event(&self, socket: &Socket, name: &str, ack: Option<u64>, args: &RawArgs<'_>) {
///         let Some((json, attachments)) = args.as_json() else { return };
///         let values = JsonArray::new(format!("[{json}]"), attachments.to_vec());
///         match ack {
///             Some(id) => drop(socket.ack_json(id, &values)),
///             None => println!("{name}: {json}"),
///         }
///     }
/// }
///
/// let io = Server::builder().tap(Echo).build()?;
/// # let _ = io;
/// # Ok::<(), socketio::options::BuildError>(())
/// ```
pub trait Tap: Send + Sync + 'static {
    /// A client's connection is open. It is in no namespace yet.
    fn opened(&self, client: &Client) {
        let _ = client;
    }

    /// A client's connection has changed its transport.
    fn upgraded(&self, client: &Client, transport: TransportKind) {
        let _ = (client, transport);
    }

    /// A client's connection is over; its sockets were told of before.
    fn closed(&self, client: &Client, reason: CloseReason) {
        let _ = (client, reason);
    }

    /// Whether the connection may be read: asked before each message. After a no it is asked again
    /// when somebody [wakes](engineio::Socket::wake) the connection; its heartbeat is not asked for
    /// meanwhile, and [`max_read_pause`](crate::Builder::max_read_pause) bounds the time.
    fn credit(&self, client: &Client) -> bool {
        let _ = client;
        true
    }

    /// A socket was let in, and its client has the answer.
    fn connected(&self, socket: &Socket) {
        let _ = socket;
    }

    /// A socket that middleware has seen was not let in: the client gave up or is gone, or its id was
    /// taken. Not called when middleware refused.
    fn not_connected(&self, socket: &Socket) {
        let _ = socket;
    }

    /// An event, with the number by which [`Socket::ack_json`] answers it if the client wants that.
    fn event(&self, socket: &Socket, name: &str, ack: Option<u64>, args: &RawArgs<'_>);

    /// The client acknowledged an event that was sent with this number.
    fn acknowledged(&self, socket: &Socket, id: u64, args: &RawArgs<'_>) {
        let _ = (socket, id, args);
    }

    /// A socket is over. It is in its rooms until this returns.
    fn disconnecting(&self, socket: &Socket, reason: DisconnectReason) {
        let _ = (socket, reason);
    }

    /// The client sent what is no packet, or an ERROR packet (clients 1.x and 2.x).
    fn error(&self, socket: &Socket, error: &(dyn Error + Send + Sync)) {
        let _ = (socket, error);
    }
}

/// The tap of a server, if it has one.
#[derive(Clone, Default)]
pub(crate) struct Tapped(Option<Arc<dyn Tap>>);

impl Tapped {
    pub(crate) fn new(tap: impl Tap) -> Self {
        Self(Some(Arc::new(tap)))
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<&dyn Tap> {
        self.0.as_deref()
    }

    /// Tells the tap, which is code of the user. False: it panicked.
    #[inline]
    pub(crate) fn tell(&self, tell: impl FnOnce(&dyn Tap)) -> bool {
        match self.get() {
            None => true,
            Some(tap) => told(guard::call(|| tell(tap))),
        }
    }
}

fn told(called: Result<(), guard::Panicked>) -> bool {
    if called.is_err() {
        log!(error: "the tap panicked");
    }
    called.is_ok()
}

impl fmt::Debug for Tapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tapped").field(&self.0.is_some()).finish()
    }
}
