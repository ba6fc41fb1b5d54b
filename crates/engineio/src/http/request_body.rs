//! The bodies of requests, and what becomes of the part that nobody has read when the answer is
//! there: it is read and dropped, within bounds.
//!
//! A connection that is closed under bytes that were not read is reset. A client that is still
//! sending fails then before it has seen its answer, and a proxy takes the server for broken. So it
//! is done behind every answer of the engine, in one place, whatever the reason for the answer was.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut as _, Bytes, BytesMut};
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use crate::engine::Engine;
use crate::limits::Limit;
use crate::options::Options;
use crate::spawn::spawn;

/// The body of a request, as long as there is something to be read.
pub(crate) struct RequestBody<B> {
    /// Boxed where there is one: the futures of polls should have no room for it.
    body: Option<Pin<Box<B>>>,
    /// It took as long as a body may.
    late: bool,
}

/// Why a body is not there.
pub(crate) enum Unread {
    TooLarge,
    Broken,
}

/// Of a body that is not wanted this many times the largest that is are read, for the client to see
/// the answer.
const TIMES_THE_LIMIT: usize = 8;

/// A client that sends nothing for so long waits for its answer, or has it: nothing is lost on it. Also
/// what a body that was too slow is given to stop.
pub(crate) const PAUSE: Duration = Duration::from_secs(3);

/// How many bytes of a body that is not wanted are read.
pub(crate) fn most(options: &Options) -> usize {
    options.max_http_buffer_size.saturating_mul(TIMES_THE_LIMIT)
}

impl<B: http_body::Body> RequestBody<B> {
    pub(crate) fn new(body: B) -> Self {
        Self { body: (!body.is_end_stream()).then(|| Box::pin(body)), late: false }
    }

    /// Reads all of it; never holds more than the limit, and reserves nothing for an announcement.
    /// `has_grown` is told how much is held, each time that more is to come.
    pub(crate) async fn read(
        &mut self,
        limit: usize,
        has_grown: impl Fn(usize),
    ) -> Result<Bytes, Unread> {
        let Some(body) = &mut self.body else { return Ok(Bytes::new()) };
        if body.size_hint().lower() > limit as u64 {
            return Err(Unread::TooLarge);
        }
        let mut first = Bytes::new();
        let mut all = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                self.body = None; // there is no rest
                return Err(Unread::Broken);
            };
            let Ok(mut data) = frame.into_data() else { continue };
            if first.len() + all.len() + data.remaining() > limit {
                return Err(Unread::TooLarge);
            }
            if first.is_empty() && all.is_empty() {
                first = data.copy_to_bytes(data.remaining()); // most bodies are one piece: no copy
            } else {
                if all.is_empty() {
                    all.extend_from_slice(&std::mem::take(&mut first));
                }
                all.put(data);
            }
            if body.is_end_stream() {
                break;
            }
            has_grown(first.len() + all.capacity());
        }
        self.body = None;
        Ok(if all.is_empty() { first } else { all.freeze() })
    }

    /// The body, for who has another use for it.
    pub(crate) fn take(&mut self) -> Option<Pin<Box<B>>> {
        self.body.take()
    }

    /// What is left of a body that was taken.
    pub(crate) fn rest(body: Pin<Box<B>>) -> Self {
        Self { body: Some(body), late: false }
    }

    /// Notes that the time for the body is over.
    pub(crate) fn be_late(&mut self) {
        self.late = true;
    }
}

impl<B> RequestBody<B>
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    /// Reads and drops what was not read, beside the answer: a client that waits for `100 Continue`
    /// gets the answer instead, as it is written first.
    // RFC 9112 9.6, RFC 9110 10.1.1
    pub(crate) fn drop_rest(self, engine: &Arc<Engine>) {
        let Some(mut body) = self.body.filter(|body| !body.is_end_stream()) else { return };
        let options = &engine.options;
        let mut left = most(options);
        let time = if self.late { PAUSE } else { options.body_timeout };
        let engine = Arc::clone(engine);
        spawn(Box::pin(async move {
            let reading = async {
                while let Ok(Some(Ok(frame))) = timeout(PAUSE, body.frame()).await {
                    left = left.saturating_sub(frame.data_ref().map_or(0, Buf::remaining));
                    if left == 0 {
                        break;
                    }
                }
            };
            // too slow, or too much: the reset is its own
            if timeout(time, reading).await.is_err() && !self.late {
                engine.counters.limited(Limit::BodyTimeout);
            }
        }));
    }
}
