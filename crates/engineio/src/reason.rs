//! Why a session ended, beside the reason that both protocols know.

/// What more is known about the end of a session than its [`CloseReason`](crate::CloseReason).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseDetail {
    /// The client did not take what it was sent: its queue was full, or nothing was written for
    /// `write_timeout`.
    SlowConsumer,
    /// A message or a body was larger than `max_http_buffer_size`.
    TooLarge,
    /// Two polls or two POSTs at the same time.
    OverlappingRequests,
    /// The application did not take the client's messages for `max_read_pause`.
    NotRead,
    /// The client sent faster than it may, for too long.
    RateLimited,
    /// The server kept more of what clients sent than `max_total_inbound_bytes`, and most of it for
    /// this client.
    KeptTooMuch,
    /// Its client came again over another connection, which has what this one had.
    TakenOver,
    /// Another node passed the client's WebSocket on, and goes away.
    RelayGone,
    /// The layer above panicked.
    Panic,
    /// The peer broke the WebSocket protocol; the close code that it was told.
    WebSocket(u16),
}
