//! The signals that ask a process to end.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask a process to end: SIGTERM and SIGINT (Ctrl-C); on other systems than Unix
/// Ctrl-C alone. For [`Closing::until`] and the like.
///
/// From its making on the process does not end by them any more, and none is missed.
///
/// [`Closing::until`]: crate::Closing::until
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    signals: [Signal; 2],
}

#[cfg(unix)]
impl Signals {
    /// Begins to listen to them.
    ///
    /// # Errors
    /// If the system refuses.
    ///
    /// # Panics
    /// Outside of a tokio runtime, or if its I/O is switched off.
    pub fn new() -> io::Result<Self> {
        Ok(Self { signals: [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?] })
    }

    /// The next one. Cancel safe.
    pub async fn next(&mut self) {
        let [terminate, interrupt] = &mut self.signals;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    /// Begins to listen to them.
    ///
    /// # Errors
    /// None on this system.
    pub fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// The next one. Cancel safe.
    pub async fn next(&mut self) {
        if let Err(error) = tokio::signal::ctrl_c().await {
            engineio_proto::log!(error: %error, "Ctrl-C cannot be listened to");
            std::future::pending::<()>().await;
        }
    }
}
