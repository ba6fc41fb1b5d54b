//! Where the declared events of the server go: to one client or to many.

use std::time::Duration;

use serde::Serialize;
use socketio::adapter::RemoteSocket;
use socketio::emit::{BroadcastAcks, BroadcastOperator, EmitError, SocketOperator};
use socketio::{Namespace, Server, Socket};

use crate::ack::{Asked, FromWire};

/// Whom the events of a contract are sent to: what the function `to` of a contract takes.
///
/// A [`Socket`] is one client and may be asked for acknowledgements. A [`SocketOperator`] (a
/// socket with `volatile()`, `compress(..)` or `when_full(..)`), a [`BroadcastOperator`] (rooms,
/// with their modifiers), a [`Namespace`], a [`Server`] (its namespace `/`) and a [`RemoteSocket`]
/// are sent events. So is a reference to any of them.
#[diagnostic::on_unimplemented(
    message = "events are not sent to a `{Self}`",
    note = "`to` takes a `Socket`, an operator (`socket.to(..)`, `io.to(..)`, `socket.volatile()`), \
            a `Namespace`, a `Server` or a `RemoteSocket`"
)]
pub trait Target {
    /// Sends an event.
    ///
    /// # Errors
    /// Those of the `emit` of the type.
    fn emit_declared<T: Serialize>(&self, event: &'static str, args: T) -> Result<(), EmitError>;
}

macro_rules! targets {
    ($($target:ty)*) => {$(
        impl Target for $target {
            fn emit_declared<T: Serialize>(
                &self,
                event: &'static str,
                args: T,
            ) -> Result<(), EmitError> {
                self.emit(event, args)
            }
        }
    )*};
}

targets! { Socket SocketOperator BroadcastOperator Namespace RemoteSocket Server }

impl<X: Target + ?Sized> Target for &X {
    fn emit_declared<T: Serialize>(&self, event: &'static str, args: T) -> Result<(), EmitError> {
        (**self).emit_declared(event, args)
    }
}

/// One client of this node: who can be asked for an acknowledgement.
pub trait OneClient: Target {
    /// Sends an event and asks for an acknowledgement.
    fn ask_declared<W: FromWire>(&self, event: &'static str, args: impl Serialize) -> Asked<W>;
}

impl OneClient for Socket {
    fn ask_declared<W: FromWire>(&self, event: &'static str, args: impl Serialize) -> Asked<W> {
        Asked::new(self.emit_with_ack(event, args))
    }
}

impl<X: OneClient + ?Sized> OneClient for &X {
    fn ask_declared<W: FromWire>(&self, event: &'static str, args: impl Serialize) -> Asked<W> {
        (**self).ask_declared(event, args)
    }
}

/// Many clients, with how long their acknowledgements are waited for: what `within` of a contract
/// takes and gives.
#[derive(Debug)]
pub struct Within {
    operator: BroadcastOperator,
}

/// Clients that can be asked for acknowledgements together.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` is not asked for acknowledgements of many",
    note = "`within` is for rooms and namespaces; one client is asked with `to(&socket)`"
)]
pub trait ManyClients {
    /// Those of an operator.
    fn within(self, timeout: Duration) -> Within;
}

impl ManyClients for BroadcastOperator {
    fn within(self, timeout: Duration) -> Within {
        Within { operator: self.timeout(timeout) }
    }
}

impl ManyClients for Namespace {
    fn within(self, timeout: Duration) -> Within {
        Within { operator: self.timeout(timeout) }
    }
}

impl ManyClients for Server {
    fn within(self, timeout: Duration) -> Within {
        Within { operator: self.timeout(timeout) }
    }
}

impl<X: ManyClients + Clone> ManyClients for &X {
    fn within(self, timeout: Duration) -> Within {
        self.clone().within(timeout)
    }
}

impl Within {
    /// Sends an event to all and waits for their acknowledgements.
    ///
    /// # Errors
    /// Those of [`BroadcastOperator::emit_with_ack`].
    pub async fn ask_declared<W: FromWire>(
        &self,
        event: &'static str,
        args: impl Serialize + Send,
    ) -> Result<BroadcastAcks<W::Value>, EmitError> {
        Ok(self.operator.emit_with_ack::<W>(event, args).await?.map(W::unwrap))
    }
}
