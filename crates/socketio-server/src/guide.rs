#![doc = include_str!("docs/index.md")]
// The modules are pages: their programs are compiled with the tests, and `cargo xtask docs` makes a book
// of them, in which `x_y` is the chapter `x-y`.

// What the pages link to.
#[cfg(doc)]
use crate::{
    adapter::*, emit::*, events::*, namespaces::*, observe::*, options::*, parser::*,
    serve::nodes::*, serve::*, *,
};

macro_rules! pages {
    ($($name:ident: $file:literal,)*) => {
        $(
            #[doc = include_str!(concat!("docs/", $file, ".md"))]
            pub mod $name {}
        )*
    };
}

pages! {
    tutorial: "tutorial",
    initialization: "initialization",
    options: "options",
    namespaces: "namespaces",
    middlewares: "middlewares",
    origins: "origins",
    beside_axum: "beside-axum",
    socket: "socket",
    data_or_extensions: "data-or-extensions",
    emitting: "emitting",
    listening: "listening",
    acknowledgements: "acknowledgements",
    rooms: "rooms",
    broadcasting: "broadcasting",
    delivery: "delivery",
    disconnection: "disconnection",
    recovery: "recovery",
    several_nodes: "several-nodes",
    load_balancer: "load-balancer",
    no_sticky_sessions: "no-sticky-sessions",
    logging: "logging",
    performance: "performance",
    testing: "testing",
    troubleshooting: "troubleshooting",
    operating: "operating",
    all_limits: "all-limits",
    from_node: "from-node",
    from_socket_io: "from-socket-io",
    from_socketioxide: "from-socketioxide",
}

#[cfg(feature = "webtransport")]
#[doc = include_str!("docs/webtransport.md")]
pub mod webtransport {}
