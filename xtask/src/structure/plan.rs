//! What was drawn: the circles that there may be, and which crate depends on which.

/// What was drawn of a crate. Files are named by their paths below `src`.
pub(super) struct Plan {
    pub(super) name: &'static str,
    /// Files that may name each other in a loop. A circle gets smaller, never larger.
    pub(super) circles: &'static [&'static [&'static str]],
    /// Crates of ours.
    pub(super) depends_on: &'static [&'static str],
}

pub(super) const PLANS: &[Plan] = &[
    Plan {
        name: "engineio",
        circles: &[&["driver", "driver/end", "driver/throttle"]],
        depends_on: &["engineio-proto"],
    },
    Plan { name: "engineio-proto", circles: &[], depends_on: &[] },
    Plan {
        name: "socketio-server",
        circles: &[&[
            "client",
            "emit/broadcast",
            "emit/with_ack",
            "events/context",
            "events/extract",
            "events/handler",
            "events/listeners",
            "events/middleware",
            "namespace",
            "namespace/connected",
            "namespace/dynamic",
            "namespace/hooks",
            "namespace/node",
            "namespace/registry",
            "socket",
            "socket/extensions",
            "socket/extras",
            "socket/handshake",
            "socket/leaving",
        ]],
        depends_on: &[
            "engineio",
            "engineio-proto",
            "socketio-adapter",
            "socketio-client-files",
            "socketio-parser",
        ],
    },
    Plan { name: "socketio-parser", circles: &[], depends_on: &[] },
    Plan {
        name: "socketio-adapter",
        circles: &[],
        depends_on: &["engineio-proto", "socketio-parser"],
    },
    Plan {
        name: "socketio-contract",
        circles: &[],
        depends_on: &[
            "socketio-server",
            "socketio-contract-macros",
            "socketio-parser",
            "socketio-testkit",
        ],
    },
    Plan { name: "socketio-contract-macros", circles: &[], depends_on: &[] },
    Plan { name: "socketio-redis", circles: &[], depends_on: &["socketio-adapter"] },
];
