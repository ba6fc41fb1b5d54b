//! Answers to requests that the HTTP server does not see: those with a refused head, and those of
//! connections that are too many.
//!
//! They look like the engine's other refusals. After them the connection ends: in the direction to
//! the peer at once, in the other when the peer has seen it, for a connection that is closed under
//! bytes that were not read is reset, and the answer may be lost with it.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Response, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::http::request_body;
use crate::http::responses;
use crate::limits::Limit;
use crate::listen::heads::HeadError;
use crate::options::Options;
use crate::stats::Counters;

impl HeadError {
    /// The limit that acted, if it was one.
    pub(crate) fn count(self, counters: &Counters) {
        Counters::add(&counters.refused);
        match self {
            Self::TooLarge => counters.limited(Limit::HeaderBytes),
            Self::TooManyFields => counters.limited(Limit::HeaderFields),
            // the time is counted when it is over, whether or not a head was begun
            Self::TwoLengths | Self::TooSlow => {}
        }
    }

    /// The answer.
    // RFC 6585 5; RFC 9110 15.5.1, 15.5.9
    pub(crate) fn answer(self, options: &Options) -> Response<Bytes> {
        let (status, message) = match self {
            Self::TooLarge => {
                let max = options.max_header_bytes;
                (
                    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                    format!("Request head larger than {max} bytes"),
                )
            }
            Self::TooManyFields => {
                let max = options.max_header_fields;
                (
                    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                    format!("More than {max} header fields"),
                )
            }
            Self::TwoLengths => (StatusCode::BAD_REQUEST, "Bad request".to_owned()),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "Request timeout".to_owned()),
        };
        responses::failed(status, &message)
    }
}

/// What is read of what a peer sends behind its last answer, at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest {
    pub(crate) bytes: usize,
    pub(crate) time: Duration,
}

impl Rest {
    /// Of a head that was refused there may be a body behind it.
    pub(crate) fn new(options: &Options) -> Self {
        Self { bytes: request_body::most(options), time: options.close_timeout }
    }
}

/// Writes an answer as the last of a connection, and reads what the peer still sends.
pub(crate) async fn say<Io>(mut io: Io, answer: &Response<Bytes>, rest: Rest)
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let saying = async {
        if io.write_all(&on_the_wire(answer)).await.is_ok() {
            read_rest(io, rest.bytes).await;
        }
    };
    // too slow: the reset is its own
    let _ = timeout(rest.time, saying).await;
}

/// Ends the direction to the peer, and reads what it still sends.
pub(crate) async fn linger<Io>(io: Io, rest: Rest)
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let _ = timeout(rest.time, read_rest(io, rest.bytes)).await;
}

// RFC 9112 9.6
async fn read_rest<Io>(mut io: Io, bytes: usize)
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    if io.shutdown().await.is_err() {
        return;
    }
    let mut rest = io.take(bytes as u64);
    let mut buffer = [0; 4096];
    while matches!(timeout(request_body::PAUSE, rest.read(&mut buffer)).await, Ok(Ok(1..))) {}
}

fn on_the_wire(answer: &Response<Bytes>) -> Vec<u8> {
    let (status, body) = (answer.status(), answer.body());
    let mut head = format!("HTTP/1.1 {status}\r\n");
    let mut field = |name: &str, value: &str| {
        let _ = write!(head, "{name}: {value}\r\n");
    };
    for (name, value) in answer.headers() {
        field(name.as_str(), value.to_str().unwrap_or_default());
    }
    field("content-length", &body.len().to_string());
    // RFC 9110 6.6.1
    field("date", &httpdate::fmt_http_date(SystemTime::now()));
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}
