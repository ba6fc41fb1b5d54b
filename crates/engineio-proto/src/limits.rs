//! Every bound of the protocol level, with its reason.

/// Bounds on what a peer may send. All are finite by default.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one message or one request body (1,000,000): the reference's own limit since 3.0.
    pub max_payload: usize,
    /// Packets in one polling payload (500,000): as many as fit the default size, since reading
    /// them takes milliseconds. To be set lower with a handler that does much per packet.
    pub max_packets_per_payload: usize,
    /// Frames of one WebSocket message (16,384): empty fragments cost no bytes but time.
    pub max_frames_per_message: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_payload: 1_000_000,
            max_packets_per_payload: 500_000,
            max_frames_per_message: 16_384,
        }
    }
}
