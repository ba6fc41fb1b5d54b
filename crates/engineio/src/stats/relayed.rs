//! What is passed on between nodes, in numbers.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! relayed {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a server passes on to other nodes, and they to it. All zero without
        /// [`relay_to`](crate::Server::relay_to).
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Relayed {
            /// Requests and WebSockets that other nodes pass on to this one now.
            pub open_in: usize,
            /// Those that this node passes on now.
            pub open_out: usize,
            $($(#[$doc])* pub $name: u64,)*
        }

        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)*
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> Relayed {
                Relayed { $($name: self.$name.load(Relaxed),)* ..Relayed::default() }
            }
        }

        impl AddAssign for Relayed {
            fn add_assign(&mut self, other: Self) {
                self.open_in += other.open_in;
                self.open_out += other.open_out;
                $(self.$name += other.$name;)*
            }
        }
    };
}

relayed! {
    /// Requests and WebSockets taken from other nodes.
    taken,
    /// Requests at the listener for nodes with no secret or a wrong one.
    refused_nodes,
    /// Requests of other nodes answered 503, as there were too many.
    too_many_in,
    /// Requests and WebSockets passed on.
    passed_on,
    /// Requests not passed on, but answered 503, as there were too many.
    too_many_out,
    /// Requests whose client was told to come again elsewhere, by [`Route::Replay`](crate::Route::Replay).
    replayed,
    /// Sessions that moved here with their upgrade, see [`hold`](crate::NodesOptions::hold).
    moved_here,
    /// Requests whose id is none that a node makes.
    malformed,
    /// Requests whose id is of this node, which has no such session (any more).
    gone,
    /// Requests whose id names a node that is not known.
    unknown_node,
    /// Requests whose node could not be reached, ended before it answered, or has another secret.
    owner_unreachable,
}

impl Relayed {
    /// Direction, outcome and number of the requests that were, or should have been, passed on.
    #[cfg(feature = "metrics")]
    pub(crate) fn by_outcome(&self) -> [(&'static str, &'static str, u64); 8] {
        [
            ("in", "taken", self.taken),
            ("in", "refused", self.refused_nodes),
            ("in", "too_many", self.too_many_in),
            ("out", "passed_on", self.passed_on),
            ("out", "unreachable", self.owner_unreachable),
            ("out", "too_many", self.too_many_out),
            ("out", "replayed", self.replayed),
            ("out", "moved", self.moved_here),
        ]
    }

    /// Why sessions were not found.
    #[cfg(feature = "metrics")]
    pub(crate) fn unknown_by_cause(&self) -> [(&'static str, u64); 4] {
        [
            ("malformed", self.malformed),
            ("gone", self.gone),
            ("unknown_node", self.unknown_node),
            ("owner_unreachable", self.owner_unreachable),
        ]
    }
}
