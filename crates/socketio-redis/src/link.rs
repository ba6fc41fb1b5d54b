//! The two connections to a server.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::publish::{Limits, Publisher, Refused};
use crate::stats::Counters;
use crate::subscribe::Subscriber;
use crate::targets::Targets;

/// To one server at a time.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) subscriber: Arc<Subscriber>,
}

/// What all links of an adapter are made with.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) limits: Limits,
    pub(crate) max_commands: usize,
    pub(crate) counters: Arc<Counters>,
    pub(crate) runtime: Handle,
    /// By `SPUBLISH` and `SSUBSCRIBE`.
    pub(crate) sharded: bool,
}

impl Link {
    /// Begins to connect.
    pub(crate) fn open(plan: &Plan, targets: Targets, on_refused: Option<Refused>) -> Self {
        let counters = &plan.counters;
        let publisher = Arc::new(Publisher::new(plan.limits, Arc::clone(counters), on_refused));
        let subscriber =
            Arc::new(Subscriber::new(plan.sharded, plan.max_commands, Arc::clone(counters)));
        let command = if plan.sharded { "SPUBLISH" } else { "PUBLISH" };
        publisher.start(&plan.runtime, targets.clone(), command);
        plan.runtime.spawn(Arc::clone(&subscriber).deliver());
        plan.runtime.spawn(Arc::clone(&subscriber).run(targets));
        Self { publisher, subscriber }
    }

    /// Both connections are there, and all subscriptions are in place.
    pub(crate) fn is_ready(&self) -> bool {
        self.publisher.connection().is_some() && self.subscriber.is_settled()
    }

    pub(crate) fn close(&self) {
        self.publisher.close();
        self.subscriber.close();
    }
}
