//! The streams of one HTTP/3 connection, but for the one that carries packets.
//!
//! ```text
//!                     ┌ control, QPACK      read and checked as long as the connection lives
//!   unidirectional ───┤
//!                     └ others              refused; of too many the connection is over
//!                     ┌ requests            a CONNECT is handed out, others are refused
//!   bidirectional ────┤
//!                     └ a session's         the first one is handed out, a second one ends the session
//!   the CONNECT's, behind its head          capsules: its end is that of the session
//! ```
//!
//! There is no task and no timer for it: whoever has the session polls it when the session's own stream
//! has nothing to be read. A timer exists while there is a stream that has begun to say what it is.
//! Those of which nothing came may stay: a stream that is opened opens all with lower numbers, which
//! browsers use later or never. There are few.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use engineio_proto::http3::connect::Connect;
use engineio_proto::http3::control::Control;
use engineio_proto::http3::frame;
use engineio_proto::http3::opening::{Opened, Opening, Unidirectional};
use engineio_proto::http3::qpack::{self, Instructions};
use engineio_proto::http3::request::Head;
use engineio_proto::http3::varint::Gather;
use engineio_proto::http3::{Code, Error};
use engineio_proto::log;
use quinn::{Connection, ConnectionError, ReadError, RecvStream, SendStream, VarInt};
use tokio::time::{Sleep, sleep};

use crate::stats::Counters;

/// What happened on a connection.
pub(crate) enum Event {
    /// A request for a session, and where it is answered.
    Connect(Head, SendStream),
    /// The stream of the session that the CONNECT asked for.
    Stream(SendStream, RecvStream),
    /// Nothing comes any more.
    End(End),
}

/// How a session or its connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer ended it, or is gone.
    Peer,
    /// The peer broke the rules.
    Violation,
}

/// One connection.
pub(crate) struct Link {
    pub(crate) connection: Connection,
    counters: Arc<Counters>,
    limits: Limits,
    /// Ours, which must stay open.
    _control: SendStream,
    bidirectional: Accepting<(SendStream, RecvStream)>,
    unidirectional: Accepting<RecvStream>,
    /// The client's control and QPACK streams, which must stay open, too.
    critical: Vec<Critical>,
    undecided: Vec<Undecided>,
    /// When what is undecided, and has begun, is refused.
    deadline: Option<Pin<Box<Sleep>>>,
    connect: Option<ConnectStream>,
    /// Unidirectional streams that were refused.
    refused: u32,
    end: Option<End>,
}

/// What a connection may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of a header section.
    pub(crate) max_header_bytes: usize,
    /// How long a stream may take to say what it is.
    pub(crate) timeout: Duration,
}

type Accepting<T> = Pin<Box<dyn Future<Output = Result<T, ConnectionError>> + Send>>;

struct Critical {
    stream: RecvStream,
    reader: Reader,
}

enum Reader {
    Control(Control),
    Encoder(Instructions),
    Decoder(Instructions),
}

/// A stream of which not enough came.
enum Undecided {
    Bidirectional(SendStream, RecvStream, Opening),
    Unidirectional(RecvStream, Gather),
}

impl Undecided {
    fn has_begun(&self) -> bool {
        match self {
            Self::Bidirectional(_, _, opening) => !opening.is_empty(),
            Self::Unidirectional(_, gather) => !gather.is_empty(),
        }
    }
}

/// The stream of the CONNECT behind its head.
struct ConnectStream {
    id: u64,
    stream: RecvStream,
    reader: Connect,
    has_stream: bool,
}

/// Reads in one turn, of each stream; a peer that sends more waits for the next.
const READS: usize = 16;

/// Unidirectional streams that are refused before the connection is.
const MAX_REFUSED: u32 = 3;

impl Link {
    pub(crate) fn new(
        connection: Connection,
        control: SendStream,
        limits: Limits,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            bidirectional: accept_bidirectional(&connection),
            unidirectional: accept_unidirectional(&connection),
            connection,
            counters,
            limits,
            _control: control,
            critical: Vec::new(),
            undecided: Vec::new(),
            deadline: None,
            connect: None,
            refused: 0,
            end: None,
        }
    }

    /// The CONNECT was refused; there may be another one.
    pub(crate) fn refused(&mut self) {
        if let Some(mut connect) = self.connect.take() {
            let _ = connect.stream.stop(var(Code::NO_ERROR));
        }
    }

    /// What happens next. It is polled until there is nothing, and after the end not again.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Some(end) = self.end {
            return Poll::Ready(Event::End(end));
        }
        let event = self.poll_streams(cx);
        if let Poll::Ready(Event::End(end)) = &event {
            self.end = Some(*end);
        }
        event
    }

    /// Whether the peer ended the session.
    pub(crate) fn is_left(&self) -> bool {
        self.end == Some(End::Peer)
    }

    /// Waits for the end of the peer's side of the session.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.end.is_some() {
            return Poll::Ready(());
        }
        self.poll_connect(cx).map(|end| self.end = Some(end))
    }

    fn poll_streams(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Poll::Ready(end) = self.poll_connect(cx) {
            return Poll::Ready(Event::End(end));
        }
        if let Err(end) = self.accept(cx).and_then(|()| self.poll_critical(cx)) {
            return Poll::Ready(Event::End(end));
        }
        let mut at = 0;
        while at < self.undecided.len() {
            match self.poll_undecided(at, cx) {
                Ok(Decided::Not) => at += 1,
                Ok(Decided::Gone) => {}
                Ok(Decided::Event(event)) => return Poll::Ready(event),
                Err(end) => return Poll::Ready(Event::End(end)),
            }
        }
        self.poll_deadline(cx);
        Poll::Pending
    }

    fn poll_connect(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let Some(ConnectStream { stream, reader, .. }) = &mut self.connect else {
            return Poll::Pending;
        };
        let read = read_some(stream, cx, |bytes| match reader.feed(bytes) {
            Ok(None) => Ok(()),
            Ok(Some(close)) => {
                log!(debug: code = close.code, "session closed by its client");
                Err(None)
            }
            Err(error) => Err(Some(error)),
        });
        match read {
            Read::Pending => Poll::Pending,
            Read::End | Read::Reset | Read::Lost | Read::Stopped(None) => Poll::Ready(End::Peer),
            Read::Stopped(Some(error)) => Poll::Ready(self.fail(error)),
        }
    }

    /// Takes the streams that the client opened. There are as many as it may have at a time.
    fn accept(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        while let Poll::Ready(accepted) = self.unidirectional.as_mut().poll(cx) {
            let stream = accepted.map_err(|error| lost(&error))?;
            self.unidirectional = accept_unidirectional(&self.connection);
            self.undecided.push(Undecided::Unidirectional(stream, Gather::EMPTY));
        }
        while let Poll::Ready(accepted) = self.bidirectional.as_mut().poll(cx) {
            let (send, stream) = accepted.map_err(|error| lost(&error))?;
            self.bidirectional = accept_bidirectional(&self.connection);
            let opening = Opening::new(self.limits.max_header_bytes);
            self.undecided.push(Undecided::Bidirectional(send, stream, opening));
        }
        Ok(())
    }

    fn poll_critical(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let mut critical = std::mem::take(&mut self.critical);
        let mut outcome = Ok(());
        for Critical { stream, reader } in &mut critical {
            let read = read_some(stream, cx, |bytes| match reader {
                Reader::Control(control) => control.feed(bytes).map_err(Some),
                Reader::Encoder(instructions) | Reader::Decoder(instructions) => {
                    instructions.feed(bytes).map_err(Some)
                }
            });
            outcome = match read {
                Read::Pending => Ok(()),
                Read::Lost => Err(End::Peer),
                Read::End | Read::Reset | Read::Stopped(None) => {
                    Err(self.fail(Error::Connection(Code::CLOSED_CRITICAL_STREAM)))
                }
                Read::Stopped(Some(error)) => Err(self.fail(error)),
            };
            if outcome.is_err() {
                break;
            }
        }
        self.critical = critical;
        outcome
    }

    /// Reads on in a stream that is undecided.
    fn poll_undecided(&mut self, at: usize, cx: &mut Context<'_>) -> Result<Decided, End> {
        match &mut self.undecided[at] {
            Undecided::Unidirectional(stream, gather) => {
                let mut byte = [0];
                loop {
                    let kind = match stream.poll_read(cx, &mut byte) {
                        Poll::Pending => return Ok(Decided::Not),
                        Poll::Ready(Ok(1..)) => gather.take(&mut &byte[..]),
                        Poll::Ready(Err(ReadError::ConnectionLost(_))) => return Err(End::Peer),
                        // it ended and said nothing
                        Poll::Ready(_) => {
                            drop(self.undecided.swap_remove(at));
                            return Ok(Decided::Gone);
                        }
                    };
                    if let Some(kind) = kind {
                        let undecided = self.undecided.swap_remove(at);
                        let Undecided::Unidirectional(stream, _) = undecided else {
                            unreachable!("it was one above");
                        };
                        return self.on_unidirectional(kind, stream).map(|()| Decided::Gone);
                    }
                }
            }
            Undecided::Bidirectional(_, stream, opening) => {
                let mut buffer = [0; 1024];
                for _ in 0..READS {
                    let wanted = &mut buffer[..opening.wants()];
                    let opened = match stream.poll_read(cx, wanted) {
                        Poll::Pending => return Ok(Decided::Not),
                        Poll::Ready(Ok(count @ 1..)) => {
                            let fed = opening.feed(&buffer[..count]);
                            fed.map(|opened| opened.map(|(opened, rest)| (opened, rest.to_vec())))
                        }
                        Poll::Ready(Err(ReadError::ConnectionLost(_))) => return Err(End::Peer),
                        Poll::Ready(_) => Err(Error::Stream(Code::REQUEST_INCOMPLETE)),
                    };
                    if let Ok(None) = opened {
                        continue;
                    }
                    let undecided = self.undecided.swap_remove(at);
                    let Undecided::Bidirectional(send, stream, _) = undecided else {
                        unreachable!("it was one above");
                    };
                    return match opened {
                        Ok(None) => unreachable!("goes on above"),
                        Ok(Some((opened, rest))) => self.on_opened(opened, send, stream, &rest, cx),
                        Err(Error::Stream(code)) => {
                            self.counters.add_stream_refused();
                            reset(send, stream, code);
                            Ok(Decided::Gone)
                        }
                        Err(error) => Err(self.fail(error)),
                    };
                }
                cx.waker().wake_by_ref();
                Ok(Decided::Not)
            }
        }
    }

    fn on_opened(
        &mut self,
        opened: Opened,
        send: SendStream,
        stream: RecvStream,
        rest: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Decided, End> {
        let status = match opened {
            Opened::Session(id) => return self.on_session_stream(id, send, stream),
            Opened::Request(head) if head.is_webtransport() => {
                if self.connect.is_none() {
                    return self.on_connect(head, send, stream, rest);
                }
                429
            }
            Opened::Request(head) if head.method == "CONNECT" => 501,
            Opened::Request(_) => 404,
            Opened::TooLarge => 431,
        };
        self.counters.add_refused(status);
        answer_alone(send, stream, status, cx);
        Ok(Decided::Gone)
    }

    fn on_connect(
        &mut self,
        head: Head,
        send: SendStream,
        stream: RecvStream,
        rest: &[u8],
    ) -> Result<Decided, End> {
        let id = VarInt::from(stream.id()).into_inner();
        let mut reader = Connect::default();
        // capsules that came with the head
        match reader.feed(rest) {
            Ok(None) => {}
            Ok(Some(_)) => return Err(End::Peer),
            Err(error) => return Err(self.fail(error)),
        }
        self.connect = Some(ConnectStream { id, stream, reader, has_stream: false });
        Ok(Decided::Event(Event::Connect(head, send)))
    }

    fn on_session_stream(
        &mut self,
        id: u64,
        send: SendStream,
        stream: RecvStream,
    ) -> Result<Decided, End> {
        match &mut self.connect {
            Some(connect) if connect.id == id && !connect.has_stream => {
                connect.has_stream = true;
                return Ok(Decided::Event(Event::Stream(send, stream)));
            }
            Some(connect) if connect.id == id => {
                log!(debug: "a second stream of a session");
                return Err(End::Violation);
            }
            _ => {}
        }
        self.counters.add_stream_refused();
        reset(send, stream, Code::SESSION_STREAM_REJECTED);
        Ok(Decided::Gone)
    }

    fn on_unidirectional(&mut self, kind: u64, mut stream: RecvStream) -> Result<(), End> {
        let reader = match Unidirectional::of_type(kind) {
            Ok(Unidirectional::Control) => Reader::Control(Control::default()),
            Ok(Unidirectional::Encoder) => Reader::Encoder(Instructions::of_encoder()),
            Ok(Unidirectional::Decoder) => Reader::Decoder(Instructions::of_decoder()),
            Ok(other) => {
                self.counters.add_stream_refused();
                let _ = stream.stop(var(Code::SESSION_STREAM_REJECTED));
                self.refused += u32::from(other == Unidirectional::Other);
                if self.refused > MAX_REFUSED {
                    log!(debug: "too many unidirectional streams");
                    return Err(End::Violation);
                }
                return Ok(());
            }
            Err(error) => return Err(self.fail(error)),
        };
        // RFC 9114 6.2.1, RFC 9204 4.2: one of each
        let same = std::mem::discriminant(&reader);
        let is_second =
            self.critical.iter().any(|other| std::mem::discriminant(&other.reader) == same);
        if is_second {
            return Err(self.fail(Error::Connection(Code::STREAM_CREATION_ERROR)));
        }
        self.critical.push(Critical { stream, reader });
        Ok(())
    }

    /// Refuses what does not say in time what it is.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) {
        if !self.undecided.iter().any(Undecided::has_begun) {
            self.deadline = None;
            return;
        }
        let timeout = self.limits.timeout;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(timeout)));
        if deadline.as_mut().poll(cx).is_pending() {
            return;
        }
        self.deadline = None;
        let (begun, silent) = self.undecided.drain(..).partition::<Vec<_>, _>(Undecided::has_begun);
        self.undecided = silent;
        for undecided in begun {
            self.counters.add_stream_refused();
            match undecided {
                Undecided::Bidirectional(send, stream, _) => {
                    reset(send, stream, Code::REQUEST_REJECTED);
                }
                Undecided::Unidirectional(mut stream, _) => {
                    let _ = stream.stop(var(Code::STREAM_CREATION_ERROR));
                }
            }
        }
    }

    /// The peer broke the rules of HTTP/3.
    fn fail(&mut self, error: Error) -> End {
        log!(debug: %error, "HTTP/3 violated");
        if let Error::Connection(code) = error {
            self.connection.close(var(code), b"");
        }
        End::Violation
    }
}

/// What became of a stream.
enum Decided {
    /// Nothing more came.
    Not,
    /// It is not among the undecided ones any more.
    Gone,
    Event(Event),
}

/// How reading came to rest.
enum Read {
    Pending,
    /// The stream ended.
    End,
    Reset,
    /// The connection is gone.
    Lost,
    /// Who was fed wants no more; an error says why.
    Stopped(Option<Error>),
}

/// Feeds what there is on a stream, but not more than a turn's.
fn read_some(
    stream: &mut RecvStream,
    cx: &mut Context<'_>,
    mut feed: impl FnMut(&[u8]) -> Result<(), Option<Error>>,
) -> Read {
    let mut buffer = [0; 1024];
    for _ in 0..READS {
        match stream.poll_read(cx, &mut buffer) {
            Poll::Pending => return Read::Pending,
            Poll::Ready(Ok(0)) => return Read::End,
            Poll::Ready(Ok(count)) => match feed(&buffer[..count]) {
                Ok(()) => {}
                Err(why) => return Read::Stopped(why),
            },
            Poll::Ready(Err(ReadError::ConnectionLost(_))) => return Read::Lost,
            Poll::Ready(Err(_)) => return Read::Reset,
        }
    }
    cx.waker().wake_by_ref();
    Read::Pending
}

/// Writes the head of an answer and nothing else; a peer that does not take a few bytes gets none.
fn answer_alone(mut send: SendStream, mut stream: RecvStream, status: u16, cx: &mut Context<'_>) {
    let head = response(status, &[]);
    match Pin::new(&mut send).poll_write(cx, &head) {
        Poll::Ready(Ok(count)) if count == head.len() => drop(send.finish()),
        _ => drop(send.reset(var(Code::REQUEST_REJECTED))),
    }
    // RFC 9114 4.1: the rest of the request is not wanted
    let _ = stream.stop(var(Code::NO_ERROR));
}

/// The frame of an answer's head.
pub(crate) fn response(status: u16, more: &[(&str, &str)]) -> Vec<u8> {
    let status = status.to_string();
    let fields: Vec<(&str, &str)> =
        std::iter::once((":status", &*status)).chain(more.iter().copied()).collect();
    let section = qpack::encode(&fields);
    let mut out = Vec::with_capacity(section.len() + 3);
    frame::header(frame::HEADERS, section.len(), &mut out);
    out.extend_from_slice(&section);
    out
}

fn reset(mut send: SendStream, mut stream: RecvStream, code: Code) {
    let _ = send.reset(var(code));
    let _ = stream.stop(var(code));
}

/// A code as QUIC has it.
pub(crate) fn var(code: Code) -> VarInt {
    VarInt::from_u64(code.0).unwrap_or(VarInt::MAX)
}

fn lost(error: &ConnectionError) -> End {
    log!(debug: %error, "connection lost");
    End::Peer
}

fn accept_bidirectional(connection: &Connection) -> Accepting<(SendStream, RecvStream)> {
    let connection = connection.clone();
    Box::pin(async move { connection.accept_bi().await })
}

fn accept_unidirectional(connection: &Connection) -> Accepting<RecvStream> {
    let connection = connection.clone();
    Box::pin(async move { connection.accept_uni().await })
}
