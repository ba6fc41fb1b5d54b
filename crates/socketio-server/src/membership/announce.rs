//! Nodes that tell each other of themselves over the adapter's broker.

use std::sync::{Arc, Weak};
use std::time::Duration;

use socketio_adapter::{AdapterFuture, NodesChannel};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{sleep, sleep_until};

use crate::membership::shared::Inner;

/// Begins to tell of this node and to hear of others. What is resolved when those that are there have
/// had the time to answer.
pub(crate) fn begin(
    nodes: &Arc<Inner>,
    channel: &Arc<dyn NodesChannel>,
) -> (AbortHandle, oneshot::Receiver<()>) {
    let (members, news) = (Arc::downgrade(&nodes.members), Arc::clone(&nodes.news));
    let listening = channel.listen(Box::new(move |text| {
        if let Some(members) = members.upgrade() {
            members.on_message(text);
            news.notify_one();
        }
    }));
    let (ready, is_ready) = oneshot::channel();
    let task = tokio::spawn(run(Arc::downgrade(nodes), listening, ready));
    (task.abort_handle(), is_ready)
}

async fn run(nodes: Weak<Inner>, listening: AdapterFuture<()>, ready: oneshot::Sender<()>) {
    // one that fails is made all the same once the broker is there
    let _ = listening.await;
    let telling = async {
        loop {
            let (deadline, news) = {
                let Some(nodes) = nodes.upgrade() else { return };
                let draining = nodes.engine.get().is_some_and(engineio::Server::is_draining);
                let publish = nodes.members.on_deadline(draining);
                if let (Some(publish), Some(channel)) = (publish, &nodes.channel) {
                    // one that is lost is followed by others
                    channel.publish(publish);
                }
                (nodes.members.deadline(), Arc::clone(&nodes.news))
            };
            tokio::select! {
                () = sleep_until(deadline) => {}
                () = news.notified() => {}
            }
        }
    };
    let waiting = async {
        sleep(ANSWERS).await;
        let _ = ready.send(());
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = telling => {}
        () = waiting => {}
    }
}

/// Nodes answer one that comes within half a second.
const ANSWERS: Duration = Duration::from_millis(600);
