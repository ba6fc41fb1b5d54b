//! How a node that closes takes leave of what it passes on: the owners answer the parked polls of its
//! clients, whose next polls go elsewhere, and end the WebSockets last, for those have nowhere to go.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::nodes::ask::{SHORT, ask};
use crate::nodes::underway::Passed;
use crate::nodes::{Nodes, Question};

impl Nodes {
    /// Takes leave. `goes_on` tells whether sessions of this node are left, with which its connections
    /// stay; none: it is cut off.
    pub(crate) async fn leave(self: Arc<Self>, goes_on: impl Fn() -> Option<bool>) {
        loop {
            let polls = self.underway.list(false);
            let has_polls = !polls.is_empty();
            // again, for those that were still on their way
            self.tell(polls, Question::Release).await;
            match goes_on() {
                None => return,
                Some(false) if !has_polls => break,
                Some(_) => tokio::time::sleep(AGAIN).await,
            }
        }
        while goes_on().is_some() {
            let websockets = self.underway.list(true);
            if websockets.is_empty() {
                return;
            }
            self.tell(websockets, Question::GoAway).await;
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn tell(&self, passed: Vec<Passed>, question: Question) {
        let asking = stream::iter(passed).map(|Passed { owner, sid, .. }| async move {
            // one that cannot be asked ends what it has by itself
            let about = (Some(&*sid), None);
            let secret = self.secret();
            let _ = ask(&self.pools, secret, &owner.address, question, about, SHORT).await;
        });
        asking.for_each_concurrent(AT_A_TIME, |asking| asking).await;
    }
}

/// Longer than what was told takes to show.
const AGAIN: Duration = Duration::from_millis(200);

const AT_A_TIME: usize = 32;
