//! What a request asks for.

use engineio_proto::handshake::Query;
use http::header::{self, HeaderMap};

use super::cors::AllowedOrigin;
use crate::options::Options;

/// What a request asks for, and what its answer needs to know of it.
#[derive(Debug)]
pub(crate) struct RequestContext {
    pub(crate) query: Query,
    pub(crate) origin: AllowedOrigin,
    /// An old Internet Explorer asks.
    pub(crate) old_browser: bool,
    /// Another node passes the request on, for a session of this one.
    pub(crate) is_relayed: bool,
}

impl RequestContext {
    pub(crate) fn new(query: Query, headers: &HeaderMap, options: &Options) -> Self {
        let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        Self {
            query,
            origin: AllowedOrigin::new(options.cors, &options.origins, headers),
            old_browser: agent
                .is_some_and(|agent| agent.contains(";MSIE") || agent.contains("Trident/")),
            is_relayed: false,
        }
    }
}
