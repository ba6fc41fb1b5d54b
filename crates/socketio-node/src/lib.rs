//! The Node-API addon of the npm package `socketio-rs`: a Socket.IO server whose listeners are
//! JavaScript.
//!
//! ```text
//!  worker:  read -> decode -> tap -> a record of the inbound buffer -> wake JavaScript, if nobody has
//!  JS:      one call: the batch as one text -> listeners, in order -> commands, as one text -> one call
//!  worker:  commands in order -> encoded once -> queues -> one write per connection
//! ```
//!
//! No protocol is here: `socketio` has it. The functions are in `exports`, what a server is in
//! `instance`; records go out through `inbound`, commands come in through `commands`. `node` is the only
//! place with `unsafe` code. The JavaScript beside it is the folder `packages/socketio-rs`, which is
//! built with it and has no other version.

#![warn(clippy::undocumented_unsafe_blocks)]

mod commands;
mod exports;
mod inbound;
mod instance;
mod json;
#[expect(unsafe_code, reason = "Node-API is a C API; nothing else of the project has such code")]
mod node;
mod options;
mod questions;
mod records;
mod requests;
mod runner;
mod runtime;
mod sockets;
mod tap;

use napi_sys as sys;

/// What Node calls when the addon is loaded, for each environment.
#[expect(unsafe_code, reason = "the name by which Node finds it")]
#[unsafe(no_mangle)]
extern "C" fn napi_register_module_v1(
    env: sys::napi_env,
    exports: sys::napi_value,
) -> sys::napi_value {
    node::export(env, exports, exports::FUNCTIONS)
}

/// Which Node-API the addon is made for.
#[expect(unsafe_code, reason = "the name by which Node finds it")]
#[unsafe(no_mangle)]
extern "C" fn node_api_module_get_api_version_v1() -> i32 {
    node::NODE_API_VERSION
}
