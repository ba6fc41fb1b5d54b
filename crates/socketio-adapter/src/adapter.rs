//! What a server needs from an adapter, and what an adapter needs from a server.
//!
//! One adapter serves one namespace. The methods that change something on this node act at once
//! and do not wait; what an adapter of a cluster does beyond this node it does on its own, and
//! says so through the futures it returns.

use std::any::Any;
use std::fmt::{self, Debug};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Weak};

use engineio_proto::Outgoing;
use socketio_parser::{DataForm, EventData, Value};

use crate::recovery::log::OFFSET_LEN;
use crate::{
    AdapterFuture, BroadcastOptions, Cluster, Completion, EnterError, JoinError, Member, Node,
    NotRecovered, Room, SocketId,
};

/// The sockets of a namespace, their rooms, and broadcast to them.
///
/// A socket is in the room of its own id from the moment it enters, without having joined it. It
/// may leave it and join it again. Others may join it too.
///
/// Calls that concern one socket take effect in the order in which they are made, and all members
/// see broadcasts in one order.
#[expect(clippy::len_without_is_empty, reason = "a figure for statistics, not a collection")]
pub trait Adapter: Send + Sync + Debug + 'static {
    /// Lets a socket in, in one step: it is a target of broadcasts, in its own room and in `rooms`,
    /// and [open](Member::open), or nothing has happened. So it gets all broadcasts that come after
    /// `answer`, and none that came before.
    ///
    /// # Errors
    /// If a socket of this id is there already, which is left alone; if it would be in too many
    /// rooms; if the member does not open, as its connection is over.
    fn enter(
        &self,
        id: &SocketId,
        member: Arc<dyn Member>,
        rooms: &[Room],
        answer: &Outgoing,
    ) -> Result<Completion, EnterError>;

    /// Takes a socket out of all rooms, in one step; it is no target any more when this returns. An
    /// unknown id is ignored.
    fn leave_all(&self, id: &SocketId);

    /// Joins a socket to rooms. Those it is in already are skipped; an unknown id is ignored,
    /// because the socket may just have gone.
    ///
    /// # Errors
    /// If the socket would be in more rooms than it may be in. It then joins none of them.
    fn join(&self, id: &SocketId, rooms: &[Room]) -> Result<Completion, JoinError>;

    /// Takes a socket out of a room. It is no error if it was not in it.
    fn leave(&self, id: &SocketId, room: &Room) -> Completion;

    /// The rooms a socket of this node is in: its own first (unless it left it), then the others
    /// in the order of joining.
    fn socket_rooms(&self, id: &SocketId) -> Vec<Room>;

    /// Hands a packet to the sockets that `options` name, to each once, and says what became of it
    /// on this node.
    fn broadcast(&self, packet: &Outgoing, options: &BroadcastOptions) -> Delivered;

    /// The ids of the sockets of this node that are in at least one of `rooms` (empty: of all) and
    /// in none of `except`. Each id is there once, in the order of entering.
    fn local_sockets(&self, rooms: &[Room], except: &[Room]) -> Vec<SocketId>;

    /// The rooms that sockets of this node are in, in no order: also those that are only some
    /// socket's own.
    fn local_rooms(&self) -> Vec<Room>;

    /// The number of sockets on this node.
    fn len(&self) -> usize;

    /// The number of rooms on this node that sockets have joined. A room that is only some
    /// socket's own is not counted.
    fn room_count(&self) -> usize;

    /// The other nodes, if there can be any. Asked for once per namespace.
    fn cluster(&self) -> Option<Arc<dyn Cluster>> {
        None
    }

    /// What brings clients back to their sessions, if the adapter can and is to do that. Asked for
    /// often.
    fn recovery(&self) -> Option<&dyn Recovery> {
        None
    }

    /// Begins what the adapter does beyond this node, for which it needs the `node`. Called once,
    /// when the namespace is there. The adapter must not keep the namespace alive.
    ///
    /// An adapter with sockets of its own also tells the node of rooms, if that
    /// [wants to know](Node::is_observed); one that has them in a [`LocalAdapter`](crate::LocalAdapter)
    /// passes this call on to it.
    fn attach(&self, node: Weak<dyn Node>) {
        drop(node);
    }

    /// Ends what the adapter runs beyond this node, at once: the server closes. Awaiting it waits
    /// until that has ended.
    fn close(&self) -> AdapterFuture<()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Connection state recovery: sessions to which clients come back, and what they missed meanwhile.
///
/// A session belongs to a socket from its [`enter_session`](Recovery::enter_session) until the socket is out of the
/// adapter. With [`save`](Recovery::save) it stays, without a socket but in its rooms.
pub trait Recovery: Send + Sync {
    /// Looks for the session that a client names. Nothing changes: it is the client's when it is
    /// [taken](Recovery::take).
    ///
    /// # Errors
    /// [`NotRecovered`] in the inner result; the outer one if what the adapter runs on failed.
    fn claim(&self, claim: &Claim) -> AdapterFuture<Result<Claimed, NotRecovered>>;

    /// Takes the session that was found and is nobody's, on this node nor elsewhere, and makes ready what
    /// can be before the client [enters](Recovery::enter_session). Dropped without that, it is given
    /// back.
    ///
    /// # Errors
    /// As [`Recovery::claim`].
    fn take(&self, claim: &Claim) -> AdapterFuture<Result<Prepared, NotRecovered>> {
        let _ = claim;
        Box::pin(std::future::ready(Ok(Ok(Prepared::default()))))
    }

    /// [`Adapter::enter`] of a socket with a session. With [`Session::resumed`], of one that is away:
    /// the socket is then in the rooms of the session too, and [opens](Member::open) with what was
    /// missed. How many packets that are.
    ///
    /// # Errors
    /// Those of [`Adapter::enter`], and [`EnterError::NotRecovered`]. [`EnterError::DuplicateId`] of a
    /// resumed session: somebody was quicker. The session is left as it was.
    fn enter_session(
        &self,
        id: &SocketId,
        member: Arc<dyn Member>,
        rooms: &[Room],
        answer: &Outgoing,
        session: Session<'_>,
    ) -> Result<usize, EnterError>;

    /// [`Adapter::leave_all`] of a socket whose client may come back; `data` is what the application
    /// wants to find then. What is sent to its rooms from now on is missed.
    fn save(&self, id: &SocketId, data: Option<Arc<Value>>);

    /// Hands an event to sockets. One that is [kept](Track::Kept) is sent again to those of its
    /// receivers that are away or turn out not to have got it.
    fn emit(&self, event: Outgoing, to: Target<'_>, track: Track<'_>) -> Delivered;

    /// What stands for all that was handed to sockets until now, see [`taken`](Recovery::taken). Asked for
    /// before each heartbeat; 0, the default, stands for nothing.
    fn mark(&self) -> u64 {
        0
    }

    /// The client of a socket has taken what was handed to it before the mark: that is not sent to it
    /// again, and need not be kept for it. An unknown id is ignored.
    fn taken(&self, id: &SocketId, mark: u64) {
        let _ = (id, mark);
    }

    /// What the application keeps with a socket has changed.
    fn data_changed(&self, id: &SocketId, data: Option<Arc<Value>>) {
        let _ = (id, data);
    }

    /// How many sessions of this node are without a socket.
    fn away_count(&self) -> usize;

    /// The log that gives events their offsets, if it is not this node alone that does it. Events that
    /// are kept are then given to it, and not to [`emit`](Recovery::emit).
    fn log(&self) -> Option<&dyn SharedLog> {
        None
    }
}

/// A log that the nodes of a cluster share: what is appended is delivered on all of them, this one
/// too, when they read it.
pub trait SharedLog: Send + Sync {
    /// In which form [`SharedLog::append`] takes an event.
    fn form(&self) -> DataForm;

    /// Has all nodes send an event to their sockets; `packet` is what those of this node get, without an
    /// offset. Never waits. If the log is away they get it at once, and it is not sent again to who
    /// misses it.
    fn append(&self, event: &EventData, packet: Outgoing, options: &BroadcastOptions);
}

/// What an adapter has made ready for a client that comes back to its session.
#[derive(Clone, Default)]
pub struct Prepared(Option<Arc<dyn Any + Send + Sync>>);

impl Prepared {
    /// Something of the adapter's own.
    #[must_use]
    pub fn new(prepared: impl Any + Send + Sync) -> Self {
        Self(Some(Arc::new(prepared)))
    }

    /// It again.
    #[must_use]
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.as_deref()?.downcast_ref()
    }
}

impl Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").finish_non_exhaustive()
    }
}

/// By what a client names the session that it had.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "made by the server, read by the adapter")]
pub struct Claim {
    /// The private id of the session.
    pub pid: String,
    /// The last offset that it got; `None`: it got nothing since it came in.
    pub offset: Option<String>,
    /// Who it is.
    pub identity: String,
}

/// What was found of a session.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a session has a socket or has none")]
pub enum Claimed {
    /// It is that of a socket, which has to leave first.
    Attached(SocketId),
    /// It is nobody's.
    Away {
        /// The id that its socket had.
        id: SocketId,
        /// What [`Recovery::save`] was given.
        data: Option<Arc<Value>>,
    },
}

/// The session of a socket that enters.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made by the server, read by the adapter")]
pub struct Session<'a> {
    /// Its private id, what the client took for its offset, and who it is.
    pub claim: &'a Claim,
    /// It was there before; else it begins.
    pub resumed: bool,
    /// What [`Recovery::take`] has made ready, of one that was there.
    pub prepared: Option<&'a Prepared>,
}

/// To whom an event goes.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "one or many")]
pub enum Target<'a> {
    /// To one socket, whatever rooms it is in. The number is the adapter's own, to find the socket again;
    /// it begins with 0.
    Socket(&'a SocketId, &'a AtomicU32),
    /// To those that the options name.
    Many(&'a BroadcastOptions),
}

/// What an event is to recovery.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "an event is sent again or it is not")]
pub enum Track<'a> {
    /// It is sent again to who missed it. Its last argument is a text of [`OFFSET_LEN`](crate::OFFSET_LEN) bytes, into which
    /// the adapter writes the offset, which is there; clients without a session get it without.
    Kept(Place),
    /// It is volatile, and ends with this text, which its receivers take for their offset.
    Passing(&'a [u8]),
}

/// Where an event has its offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the forms that can have one")]
pub enum Place {
    /// In a JSON text, before the last quote and the bracket.
    Json,
    /// In a msgpack message, at its end; the list of arguments begins at this byte.
    Msgpack {
        /// Of the message.
        list: usize,
    },
}

impl Place {
    /// Writes an offset into an event.
    pub(crate) fn fill_in(self, event: &mut Outgoing, offset: &[u8]) {
        let before_end = match self {
            Self::Json => 2,
            Self::Msgpack { .. } => 0,
        };
        event.fill_in(before_end, offset);
    }

    /// The event without its offset.
    pub(crate) fn without(self, event: &Outgoing) -> Outgoing {
        match self {
            // a comma and two quotes with it
            Self::Json => event.with_end(OFFSET_LEN + 4, "]"),
            Self::Msgpack { list } => event.with_bytes(|bytes| {
                // a text of this length has a head of one byte
                bytes.truncate(bytes.len().saturating_sub(OFFSET_LEN + 1));
                one_less(bytes.get_mut(list..).unwrap_or_default());
            }),
        }
    }
}

/// Makes a list one element shorter, in the form that its head has.
// msgpack: array format family
fn one_less(list: &mut [u8]) {
    let count = match list {
        [0xdd, count @ ..] if count.len() >= 4 => &mut count[..4],
        [0xdc, count @ ..] if count.len() >= 2 => &mut count[..2],
        [count @ 0x90..=0x9f, ..] => std::slice::from_mut(count),
        _ => return,
    };
    for digit in count.iter_mut().rev() {
        let borrows = *digit == 0;
        *digit = digit.wrapping_sub(1);
        if !borrows {
            break;
        }
    }
}

/// Makes the adapter of each namespace.
pub trait AdapterFactory: Send + Sync + Debug + 'static {
    /// The adapter of a namespace, given by its name with the leading slash.
    fn create(&self, namespace: &str) -> Arc<dyn Adapter>;

    /// The kind of adapter, one word, for logs and statistics.
    fn name(&self) -> &'static str;

    /// A channel over the broker of the adapter to which all servers of its cluster listen, for what
    /// they tell each other of themselves. `None`, the default: there is no broker.
    fn nodes_channel(&self) -> Option<Arc<dyn NodesChannel>> {
        None
    }
}

/// See [`AdapterFactory::nodes_channel`]. Dropped, it listens no more.
pub trait NodesChannel: Send + Sync + Debug + 'static {
    /// Hands a message to the broker; it comes back to who sent it, too. Never waits. False: the queue
    /// for the broker is full.
    fn publish(&self, message: String) -> bool;

    /// Listens, once: `receive` gets the messages in their order, and must not block. The future
    /// resolves when the broker has confirmed it; the subscription is made whether or not it is
    /// awaited, and made again after each loss of the broker.
    fn listen(&self, receive: NodesReceiver) -> AdapterFuture<()>;
}

/// Takes the messages of a [`NodesChannel`].
pub type NodesReceiver = Box<dyn Fn(&[u8]) + Send + Sync>;

/// What became of a broadcast on this node. Receivers found closed are in neither number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Receivers whose queue took the packet.
    pub queued: usize,
    /// Receivers that miss it.
    pub dropped: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_one_shorter() {
        let table: &[(&[u8], &[u8])] = &[
            (&[0x92, 7], &[0x91, 7]),
            (&[0xdc, 0, 16, 7], &[0xdc, 0, 15, 7]),
            (&[0xdc, 1, 0, 7], &[0xdc, 0, 255, 7]),
            (&[0xdd, 0, 1, 0, 0, 7], &[0xdd, 0, 0, 255, 255, 7]),
            (&[0xdc, 0], &[0xdc, 0]), // cut off
            (&[], &[]),
        ];
        for (list, expected) in table {
            let mut list = list.to_vec();
            one_less(&mut list);
            assert_eq!(list, *expected);
        }
    }
}
