//! Packets out of a connection's messages, by whichever parser the server has.
//!
//! ```text
//!              text without attachments -> Some(packet)
//!            +--+
//!            v  |      text with attachments -> None        binary -> None
//!           idle ----------------------------------> waiting --+
//!            ^                                          ^  |   |
//!            +---- the last binary -> Some(packet) -----|--+   |
//!                                                       +------+
//!   idle + binary, waiting + text: error
//! ```
//!
//! That is the JSON parser; a packet of msgpack is one message, and a custom decoder keeps its own
//! state. A decoder owns memory only while it waits, and for a packet of several messages until it
//! is released; but for the name of the latest namespace that could not be borrowed from a message.
//! After an error the connection is expected to be closed.

use std::sync::Arc;

use bytes::Bytes;

use crate::check::{Payload, Rules, Unchecked};
use crate::custom::{Packet, Reading};
use crate::form::Form;
use crate::json::reassembly::Pending;
use crate::json::scan::Json;
#[cfg(feature = "msgpack")]
use crate::msgpack;
use crate::packet::Header;
use crate::{DecodeError, Decoded, Limits, PacketType, Revision};

/// Turns the text and binary messages of one connection into packets. Made by
/// [`Parser::decoder`](crate::Parser::decoder).
#[derive(Debug)]
pub struct Decoder {
    limits: Arc<Limits>,
    revision: Revision,
    kind: Kind,
    /// The namespace of the latest packet that was not made of one text message, empty for `/`.
    /// It lives here, so that a packet's namespace can be borrowed in all cases.
    nsp: Box<str>,
}

/// What is small lives inside: a server has very many idle decoders.
#[derive(Debug)]
enum Kind {
    /// With the packet whose attachments are awaited, or that was handed out last.
    Json(Option<Box<Pending>>),
    #[cfg(feature = "msgpack")]
    Msgpack,
    Custom(Box<Reading>),
}

impl Decoder {
    pub(crate) fn new(form: &Form, revision: Revision, mut limits: Arc<Limits>) -> Self {
        if limits.max_depth > Limits::MAX_DEPTH {
            Arc::make_mut(&mut limits).max_depth = Limits::MAX_DEPTH;
        }
        let kind = match form {
            Form::Json => Kind::Json(None),
            #[cfg(feature = "msgpack")]
            Form::Msgpack => Kind::Msgpack,
            Form::Custom(custom) => {
                Kind::Custom(Box::new(Reading::new(custom.0.decoder(revision))))
            }
        };
        Self { limits, revision, kind, nsp: Box::default() }
    }

    /// Takes a text message. `None`: more messages belong to the packet.
    ///
    /// # Errors
    /// If it is no valid packet, or attachments are awaited.
    pub fn text<'a>(&'a mut self, text: &'a str) -> Result<Option<Decoded<'a>>, DecodeError> {
        self.release();
        match &mut self.kind {
            Kind::Json(None) => self.json(text),
            Kind::Json(Some(_)) => Err(DecodeError::UnexpectedText),
            #[cfg(feature = "msgpack")]
            Kind::Msgpack => {
                let packet = msgpack::read_text(text, &self.limits)?;
                self.msgpack(packet).map(Some)
            }
            Kind::Custom(reading) => {
                let packet = reading.text(text, &self.limits)?;
                packet.map(|packet| self.custom(packet)).transpose()
            }
        }
    }

    /// Takes a binary message. `None`: more messages belong to the packet.
    ///
    /// # Errors
    /// If it is no valid packet or part of one, or none is awaited.
    pub fn binary(&mut self, bytes: Bytes) -> Result<Option<Decoded<'_>>, DecodeError> {
        self.release();
        match &mut self.kind {
            Kind::Json(_) => self.attachment(bytes),
            #[cfg(feature = "msgpack")]
            Kind::Msgpack => {
                let packet = msgpack::read(&bytes, &self.limits)?;
                self.msgpack(packet).map(Some)
            }
            Kind::Custom(reading) => {
                let packet = reading.binary(bytes, &self.limits)?;
                packet.map(|packet| self.custom(packet)).transpose()
            }
        }
    }

    /// Whether more messages belong to a packet that has begun.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        match &self.kind {
            Kind::Json(pending) => pending.as_ref().is_some_and(|packet| !packet.is_complete()),
            #[cfg(feature = "msgpack")]
            Kind::Msgpack => false,
            Kind::Custom(reading) => reading.is_waiting(),
        }
    }

    /// Bytes that are kept of a packet that has begun.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        match &self.kind {
            Kind::Json(pending) => pending.as_ref().map_or(0, |packet| packet.kept_bytes()),
            #[cfg(feature = "msgpack")]
            Kind::Msgpack => 0,
            Kind::Custom(reading) => reading.kept_bytes(),
        }
    }

    /// Frees the latest packet, if it was made of several messages: it lives here, as what
    /// [`Decoder::binary`] gives borrows from it. The next message frees it, too.
    pub fn release(&mut self) {
        if let Kind::Json(pending) = &mut self.kind {
            if pending.as_ref().is_some_and(|packet| packet.is_complete()) {
                *pending = None;
            }
        }
    }

    fn json<'a>(&'a mut self, text: &'a str) -> Result<Option<Decoded<'a>>, DecodeError> {
        let max = self.limits.max_packet_bytes;
        let Some(bytes_left) = max.checked_sub(text.len()) else {
            return Err(DecodeError::TooLarge { max });
        };
        let Some(header) = Header::parse(text, self.revision, &self.limits)? else {
            return Ok(Some(Decoded::Ignored));
        };
        let Header { kind, attachments, nsp, id, payload } = header;
        let payload = match payload {
            "" => None,
            payload => Some(Json::scan(payload, attachments, &self.limits)?),
        };
        let decoded = self.rules().check(Unchecked { kind, nsp, id, payload })?;
        if attachments == 0 {
            return Ok(Some(decoded));
        }
        let Some(pending) = Pending::new(&decoded, attachments, bytes_left) else {
            return Ok(Some(Decoded::Ignored));
        };
        self.kind = Kind::Json(Some(Box::new(pending)));
        self.keep_nsp(nsp);
        Ok(None)
    }

    /// Takes an attachment of the packet that waits for it.
    fn attachment(&mut self, bytes: Bytes) -> Result<Option<Decoded<'_>>, DecodeError> {
        let Kind::Json(Some(packet)) = &mut self.kind else {
            return Err(DecodeError::UnexpectedBinary);
        };
        if let Err(error) = packet.add(bytes, &self.limits) {
            self.kind = Kind::Json(None);
            return Err(error);
        }
        let Kind::Json(Some(packet)) = &mut self.kind else { return Ok(None) };
        Ok(packet.is_complete().then(|| packet.decoded(nsp_or_root(&self.nsp))))
    }

    #[cfg(feature = "msgpack")]
    fn msgpack<'a, P: Payload<'a>>(
        &'a mut self,
        packet: msgpack::Fields<'_, P>,
    ) -> Result<Decoded<'a>, DecodeError> {
        match packet.complete() {
            Ok((kind, nsp, id, payload)) => self.check(kind, &nsp, id, payload),
            Err(error) => self.rules().invalid(error),
        }
    }

    fn custom(&mut self, packet: Packet) -> Result<Decoded<'_>, DecodeError> {
        let Packet { kind, nsp, id, data } = packet;
        self.check(kind, &nsp, id, data)
    }

    /// Checks a packet whose namespace is not to be borrowed from the message.
    fn check<'a, P: Payload<'a>>(
        &'a mut self,
        kind: PacketType,
        nsp: &str,
        id: Option<u64>,
        payload: Option<P>,
    ) -> Result<Decoded<'a>, DecodeError> {
        // By construction so in JSON; empty means `/` in what is kept.
        if !nsp.starts_with('/') {
            return self.rules().invalid(DecodeError::InvalidField("nsp"));
        }
        self.keep_nsp(nsp);
        self.rules().check(Unchecked { kind, nsp: self.nsp(), id, payload })
    }

    fn rules(&self) -> Rules<'_> {
        Rules { revision: self.revision, limits: &self.limits }
    }

    fn keep_nsp(&mut self, nsp: &str) {
        let nsp = if nsp == "/" { "" } else { nsp };
        // Two empty texts are not compared: it takes the C library long to read nothing from the
        // address of an empty box, which is no memory (it suppresses a fault).
        if nsp.is_empty() && self.nsp.is_empty() {
            return;
        }
        if *self.nsp != *nsp {
            self.nsp = nsp.into();
        }
    }

    fn nsp(&self) -> &str {
        nsp_or_root(&self.nsp)
    }
}

/// What is meant by a namespace that is kept.
fn nsp_or_root(nsp: &str) -> &str {
    if nsp.is_empty() { "/" } else { nsp }
}
