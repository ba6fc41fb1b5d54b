//! What all connections of a port share.

use std::sync::Arc;

use engineio::Server;

use crate::options::Options;
use crate::stats::Counters;

pub(crate) struct Port {
    pub(crate) server: Server,
    pub(crate) options: Options,
    pub(crate) counters: Arc<Counters>,
}
