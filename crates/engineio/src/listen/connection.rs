//! What the parts of one HTTP connection know of each other: the stream ([`HttpStream`]), the timer
//! for heads ([`HeadTimer`]) and the service that answers.
//!
//! There is none before the first byte has come, nor behind the change to WebSocket.
//!
//! [`HttpStream`]: crate::listen::stream::HttpStream
//! [`HeadTimer`]: crate::listen::head_timer::HeadTimer

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use engineio_proto::guard::lock;
use tokio::time::Instant;

use crate::limits::addresses::PeerPermit;
use crate::listen::armed::Armed;
use crate::options::Options;
use crate::transport::upgraded::Switching;

/// One connection, as long as the HTTP server has it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) header_timeout: Duration,
    pub(crate) keep_alive_timeout: Duration,
    pub(crate) accepted: Instant,
    /// Until when the first head must have come.
    first_deadline: Mutex<Option<Instant>>,
    pub(crate) armed: Mutex<Option<Armed>>,
    /// A part of a head has come, and not its end.
    head_begun: AtomicBool,
    /// The time between two requests is over.
    idle_too_long: AtomicBool,
    /// The head that is written next is that of the answer which switches protocols.
    switching: AtomicBool,
    /// What is written behind that head.
    behind: Mutex<Vec<u8>>,
    address: Mutex<Option<PeerPermit>>,
}

impl Connection {
    /// A connection that was accepted at a time.
    pub(crate) fn new(options: &Options, at: Instant, address: Option<PeerPermit>) -> Self {
        Self {
            header_timeout: options.header_timeout,
            keep_alive_timeout: options.keep_alive_timeout,
            accepted: at,
            first_deadline: Mutex::new(Some(at + options.header_timeout)),
            armed: Mutex::new(None),
            head_begun: AtomicBool::new(false),
            idle_too_long: AtomicBool::new(false),
            switching: AtomicBool::new(false),
            behind: Mutex::default(),
            address: Mutex::new(address),
        }
    }

    /// Until when the first head must have come; once, for those that follow have other times.
    pub(crate) fn take_first_deadline(&self) -> Option<Instant> {
        lock(&self.first_deadline).take()
    }

    pub(crate) fn set_head_begun(&self, begun: bool) {
        self.head_begun.store(begun, Relaxed);
    }

    pub(crate) fn is_head_begun(&self) -> bool {
        self.head_begun.load(Relaxed)
    }

    pub(crate) fn set_idle_too_long(&self) {
        self.idle_too_long.store(true, Relaxed);
    }

    pub(crate) fn was_idle_too_long(&self) -> bool {
        self.idle_too_long.load(Relaxed)
    }

    /// The connection is to become a WebSocket: it counts as a session from now on, and has no use
    /// for its timer, which a stream of another type would keep with it.
    pub(crate) fn switch(&self) {
        self.switching.store(true, Relaxed);
        let address = lock(&self.address).take();
        let armed = lock(&self.armed).take();
        drop((address, armed)); // outside of the locks
    }

    pub(crate) fn is_switching(&self) -> bool {
        self.switching.load(Relaxed)
    }

    /// What is to follow that head, once.
    pub(crate) fn take_behind(&self) -> Vec<u8> {
        std::mem::take(&mut lock(&self.behind))
    }

    /// That head was written.
    pub(crate) fn switched(&self) {
        self.switching.store(false, Relaxed);
    }
}

impl Switching for Connection {
    fn write_behind(&self, bytes: &[u8]) {
        lock(&self.behind).extend_from_slice(bytes);
    }
}
