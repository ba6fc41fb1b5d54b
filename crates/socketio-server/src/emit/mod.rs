//! What is sent: to whom, how, and who acknowledges it.

pub(crate) mod broadcast;
pub(crate) mod json;
pub(crate) mod with_ack;

pub use engineio::{OverflowPolicy, Receipt, ReceiptError, Received};
pub use socketio_parser::{One, Spread};

pub use self::broadcast::{BroadcastAcks, BroadcastOperator, SocketOperator};
pub use self::with_ack::EmitWithAck;
pub use crate::error::{AckError, EmitError};
