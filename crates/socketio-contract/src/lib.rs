#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("docs/contracts.md")]

mod ack;
mod argument;
mod asyncapi;
mod big;
#[cfg(feature = "testkit")]
mod client;
mod describe;
mod emit;
mod files;
mod incoming;
mod invalid;
mod route;
mod rules;
mod typescript;

pub use ack::Asked;
pub use big::Big;
#[cfg(feature = "testkit")]
pub use client::{ContractClient, Refused};
pub use describe::{Big64, Contract, Direction, Event};
pub use emit::{ManyClients, OneClient, Target, Within};
pub use files::FileError;
pub use invalid::Invalid;
pub use route::AsyncApiRoute;
pub use rules::{OnInvalid, OnUnknown, Place, Rules, Served};
pub use schemars;
pub use socketio::events::InvalidEvent;
pub use socketio_contract_macros::contract;
pub use typescript::TypeScriptError;

/// What the macro writes with. Not for users: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::ack::{
        Acknowledgement, Empty, FromWire, NoAnswer, Nothing, One, OneTagged, Plain, Tagged,
    };
    pub use crate::argument::{
        Argument, Arguments, Declared, Is, NoExtractor, Slot, Values, describe, index_on_the_wire,
    };
    #[cfg(feature = "testkit")]
    pub use crate::client::{Hearable, HeardValue, Lazily, Sending, Told, sent_value};
    pub use crate::describe::{ContractBuilder, EventBuilder, Received, Sent};
    pub use crate::incoming::{Answered, Incoming};
    pub use crate::invalid::Unread;
    pub use crate::rules::Listens;
    #[cfg(feature = "testkit")]
    pub use serde;
    pub use socketio::emit::{BroadcastAcks, EmitError};
    #[cfg(feature = "testkit")]
    pub use socketio_testkit as testkit;
}
