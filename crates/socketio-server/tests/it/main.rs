//! Wire tests: conversations with a server, frame by frame, over in-memory streams and a clock that
//! stands still. Each item of the Socket.IO API has a test named after it.

mod acks;
mod axum;
mod broadcast;
mod client;
mod closing;
mod cluster;
mod connect;
mod dedupe;
mod disconnect;
mod dynamic;
mod events;
mod failures;
mod files;
mod handlers;
mod hostile;
mod hosts;
mod hyper;
mod kept;
mod limits;
mod lines;
mod locks;
#[cfg(feature = "metrics")]
mod metrics;
mod middleware;
mod mistakes;
mod namespace;
mod no_sticky;
mod nodes;
mod observer;
mod order;
mod panics;
mod parser;
mod receipts;
mod recovery;
mod rooms;
mod root_first;
mod server;
#[cfg(all(unix, feature = "signal"))]
mod signals;
mod slow;
mod socket;
mod spans;
mod stats;
mod support;
mod tap;
mod told;
