//! Which CORS headers answers carry; what they are for a request is in `http/cors.rs`.

/// Which CORS headers answers carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cors {
    /// The origin of a request that `origins` lets in is echoed, with credentials, as 2.0 does and
    /// browsers with clients 1.x and 2.x need; a request without an origin gets `*`. An origin
    /// that a list leaves out gets nothing; a function is asked at the handshake only.
    #[default]
    FromOrigins,
    /// No CORS headers: only pages of the same origin can poll, or another layer adds them.
    Off,
}
