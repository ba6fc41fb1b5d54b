//! A transport with a stream of its own, on which each packet has a frame: a WebSocket, or packets
//! behind their lengths. Who drives the session sees what comes in as [`Incoming`], whatever the
//! frames; what goes out is framed by the outbox, which is told the [`Framing`].

use std::io;
use std::task::{Context, Poll, ready};

use engineio_proto::websocket::extensions::Agreement;
use engineio_proto::websocket::{self, Event, close};
use engineio_proto::{
    CloseReason, DecodeError, Outgoing, Packet, Protocol, TransportKind, Violation, webtransport,
};

use crate::options::Options;
use crate::outbound::encoding::Encoding;
use crate::outbound::wire::Framing;
use crate::scratch;
use crate::transport::stream::Stream;

/// A stream with frames, and nothing else while it is idle.
#[derive(Debug)]
pub(crate) struct Framed {
    frames: Frames,
    pub(crate) stream: Stream,
}

#[derive(Debug)]
enum Frames {
    WebSocket {
        decoder: websocket::Decoder,
        /// The extension of the connection.
        agreement: Option<Agreement>,
        /// Its request asked for binary as text.
        base64: bool,
    },
    Prefixed(webtransport::Decoder),
}

/// What a peer sent.
pub(crate) enum Incoming<'a> {
    Packet(Packet<'a>),
    /// It asks for a sign of life; the same bytes are to go back.
    Ping(&'a [u8]),
    /// A sign of life, to which nothing is due.
    Pong,
    /// It closes, with a code. The last of all.
    Close(Option<u16>),
    /// Frames that hold no packets: the end of the session. Of a WebSocket more may follow.
    Undecodable(DecodeError),
    /// The rules of the frames are broken. The last of all.
    Violation(Violation),
}

/// What one read found, to be taken one by one.
pub(crate) struct Arrived<'a> {
    messages: Messages<'a>,
    protocol: Protocol,
    /// Bytes that were read.
    pub(crate) count: usize,
    /// How much more may be taken in this turn of what grows when it is read.
    growth: Option<usize>,
}

enum Messages<'a> {
    WebSocket(websocket::Messages<'a, 'a>),
    Prefixed(webtransport::Packets<'a, 'a>),
}

impl Framed {
    /// A WebSocket behind its handshake.
    pub(crate) fn websocket(
        stream: Stream,
        options: &Options,
        agreement: Option<Agreement>,
        base64: bool,
    ) -> Self {
        let (max_message, max_frames) =
            (options.max_http_buffer_size, options.max_frames_per_message);
        let mut decoder = websocket::Decoder::new(max_message, max_frames);
        if let Some(agreement) = &agreement {
            decoder = decoder.with_deflate(agreement);
        }
        Self { frames: Frames::WebSocket { decoder, agreement, base64 }, stream }
    }

    /// A stream of packets behind their lengths.
    pub(crate) const fn prefixed(stream: Stream, max_payload: usize) -> Self {
        let decoder = webtransport::Decoder::new(max_payload);
        Self { frames: Frames::Prefixed(decoder), stream }
    }

    pub(crate) const fn kind(&self) -> TransportKind {
        match self.frames {
            Frames::WebSocket { .. } => TransportKind::WebSocket,
            Frames::Prefixed(_) => TransportKind::WebTransport,
        }
    }

    /// How packets look that go out, and how they are compressed.
    pub(crate) fn wire(&self, options: &Options) -> (Framing, Encoding) {
        let Frames::WebSocket { agreement, base64, .. } = &self.frames else {
            return (Framing::Prefixed, Encoding::Plain);
        };
        let framing = if *base64 { Framing::Base64 } else { Framing::WebSocket };
        let encoding = match (agreement, &options.per_message_deflate) {
            // binary as text has no compressed form
            (Some(agreement), Some(deflate)) if !base64 => {
                let (deflation, window) = (deflate.deflation(), agreement.server_window());
                match agreement.takeover.server {
                    true => Encoding::InContext(deflation, window, None),
                    false => Encoding::Alone(deflation, window),
                }
            }
            _ => Encoding::Plain,
        };
        (framing, encoding)
    }

    /// Whether what comes in may be much more than what was read.
    pub(crate) const fn inflates(&self) -> bool {
        matches!(self.frames, Frames::WebSocket { agreement: Some(_), .. })
    }

    /// Reads once; an error is the end of the stream. What is not taken of it is to be given back, see
    /// [`Stream::unread`].
    pub(crate) fn poll_read<'a>(
        &'a mut self,
        protocol: Protocol,
        cx: &mut Context<'_>,
        buffer: &'a mut [u8],
    ) -> Poll<Result<Arrived<'a>, CloseReason>> {
        let count = match ready!(self.stream.poll_read(cx, buffer)) {
            Ok(count) if count > 0 => count,
            // what carries packets behind their lengths has rules of its own
            Err(error)
                if error.kind() == io::ErrorKind::InvalidData
                    && matches!(self.frames, Frames::Prefixed(_)) =>
            {
                return Poll::Ready(Err(CloseReason::TransportError));
            }
            _ => return Poll::Ready(Err(CloseReason::TransportClose)),
        };
        // What does not grow is bounded by the buffer.
        let growth = self.inflates().then_some(MAX_GROWTH);
        let input = &mut buffer[..count];
        let messages = match &mut self.frames {
            Frames::WebSocket { decoder, .. } => Messages::WebSocket(decoder.feed(input)),
            Frames::Prefixed(decoder) => Messages::Prefixed(decoder.feed(input)),
        };
        Poll::Ready(Ok(Arrived { messages, protocol, count, growth }))
    }

    /// Bytes that are kept of what was read.
    pub(crate) fn kept_bytes(&self) -> usize {
        let by_decoder = match &self.frames {
            Frames::WebSocket { decoder, .. } => decoder.kept_bytes(),
            Frames::Prefixed(decoder) => decoder.kept_bytes(),
        };
        self.stream.kept_bytes() + by_decoder
    }

    /// What was begun is freed, and what comes is not kept.
    pub(crate) fn skip_packets(&mut self) {
        match &mut self.frames {
            Frames::WebSocket { decoder, .. } => decoder.skip_messages(),
            Frames::Prefixed(decoder) => decoder.skip_packets(),
        }
    }

    /// Reads and drops what a peer sends after the end, until it closes, too, or its stream ends.
    // RFC 6455 7.1.1
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.skip_packets();
        loop {
            let is_closed = scratch::with_read_buffer(|buffer| {
                let Ok(mut arrived) = ready!(self.poll_read(Protocol::V4, cx, buffer)) else {
                    return Poll::Ready(true);
                };
                Poll::Ready(loop {
                    match arrived.next() {
                        // after a violation nothing can be told apart any more: its end is waited for
                        None | Some(Incoming::Violation(_)) => break false,
                        Some(Incoming::Close(_)) => break true,
                        Some(_) => {}
                    }
                })
            });
            if ready!(is_closed) {
                return Poll::Ready(());
            }
        }
    }

    /// The answer to a probe, in its frame.
    pub(crate) const fn probe_answer(&self) -> &'static [u8] {
        match self.frames {
            Frames::WebSocket { .. } => b"\x81\x063probe",
            Frames::Prefixed(_) => b"\x063probe",
        }
    }

    /// Ends one that is no session's transport, with a last word if the peer takes it at once.
    pub(crate) fn refuse(mut self, cx: &mut Context<'_>) {
        if let Frames::WebSocket { .. } = self.frames {
            self.stream.out.extend_from_slice(&close::frame(None, ""));
        }
        if let Poll::Ready(Ok(())) = self.stream.poll_queued(cx) {
            let _ = self.stream.poll_shutdown(cx);
        }
    }
}

/// The last word to a peer, with a code and a reason, where its transport has one.
pub(crate) fn last_word(
    transport: TransportKind,
    (code, reason): (Option<u16>, &str),
) -> Option<Outgoing> {
    (transport == TransportKind::WebSocket)
        .then(|| Outgoing::control_frame(close::frame(code, reason)))
}

impl Arrived<'_> {
    /// What came next; none: more has to be read first.
    // Part of the loop that reads: what it returns is taken apart there, and need not be made.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<Incoming<'_>> {
        let messages = match &mut self.messages {
            Messages::WebSocket(messages) => messages,
            Messages::Prefixed(packets) => {
                return packets.next().map_or_else(
                    |error| Some(Incoming::Undecodable(error)),
                    |packet| packet.map(Incoming::Packet),
                );
            }
        };
        let event = match messages.next() {
            Ok(event) => event?,
            Err(violation) => return Some(Incoming::Violation(violation)),
        };
        let grown = |growth: &mut Option<usize>, len| {
            *growth = growth.map(|growth| growth.saturating_sub(len));
        };
        let packet = match event {
            Event::Text(text) => {
                grown(&mut self.growth, text.len());
                Packet::from_text(self.protocol, text)
            }
            Event::Binary(bytes) => {
                grown(&mut self.growth, bytes.len());
                Packet::from_binary(self.protocol, bytes)
            }
            Event::Ping(payload) => return Some(Incoming::Ping(payload)),
            Event::Pong => return Some(Incoming::Pong),
            Event::Close(status) => return Some(Incoming::Close(status.map(|(code, _)| code))),
        };
        Some(packet.map_or_else(Incoming::Undecodable, Incoming::Packet))
    }

    /// Whether what was taken has grown to as much as one turn delivers.
    pub(crate) const fn is_enough(&self) -> bool {
        matches!(self.growth, Some(0))
    }

    /// What was read and not taken.
    pub(crate) fn rest(&self) -> &[u8] {
        match &self.messages {
            Messages::WebSocket(messages) => messages.rest(),
            Messages::Prefixed(packets) => packets.rest(),
        }
    }
}

/// Bytes of messages that a connection with compression delivers in one turn, more or less: what was
/// read may inflate to a thousand times its size.
const MAX_GROWTH: usize = 512 * 1024;
