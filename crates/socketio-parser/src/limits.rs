//! Every bound of the parser, with its reason.

/// Bounds on what a peer may send in one packet. All are finite by default.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Arrays and objects inside each other, the array of the arguments included (512): far more
    /// than real data, little enough for recursive `Deserialize` and `Drop` on a small stack. At most
    /// [`Limits::MAX_DEPTH`]; more counts as that.
    pub max_depth: usize,
    /// Arguments of one event or acknowledgement (16,384): an argument costs the sender two
    /// bytes and a reader of raw values some ten times as much.
    pub max_args: usize,
    /// Attachments that a packet may announce (10): the reference's limit since its 4.2.7 parser.
    pub max_attachments: usize,
    /// Bytes of one packet, text and attachments together (10,000,000): what a connection can
    /// make the decoder keep while attachments are awaited.
    pub max_packet_bytes: usize,
    /// Bytes of a namespace's name (512): it is kept per socket. Longer names in CONNECT packets
    /// are passed on, so that they can be answered.
    pub max_namespace_len: usize,
    /// Bytes of an event's name (4,096): names are looked up and logged; data belongs in
    /// arguments.
    pub max_event_len: usize,
}

impl Limits {
    /// The most that `max_depth` can be (1,000). Values are dropped, compared, read and sent by
    /// recursion: up to here that fits the 2 MiB of tokio's threads, but in a debug build, which
    /// wants twice as much; and whatever came can be sent on with something around it.
    pub const MAX_DEPTH: usize = 1_000;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_depth: 512,
            max_args: 16_384,
            max_attachments: 10,
            max_packet_bytes: 10_000_000,
            max_namespace_len: 512,
            max_event_len: 4_096,
        }
    }
}

/// Arrays and objects inside each other in what is sent: twice what is let in by default, so that
/// whatever was received can be sent on with something around it.
pub(crate) const MAX_SENT_DEPTH: usize = 1_024;
