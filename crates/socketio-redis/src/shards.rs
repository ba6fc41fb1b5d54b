//! Sharded messages in a Redis Cluster: each channel belongs to a slot, and each slot to a master.
//!
//! There is a link to each master, and a table of all that is listened to. Who has which slots changes
//! while messages are on their way; then subscriptions and what waits in queues go over to the new
//! master, and a master that is none any more loses its link. A message that a master refused, because
//! it knew of the change first, is taken back and goes where the slot is then.
//!
//! Lock order: the table here, then those of the links.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use socketio_adapter::{AdapterFuture, Channel, Full, Receiver};
use tokio::sync::{Notify, watch};

use crate::link::{Link, Plan};
use crate::publish::{Message, Publisher};
use crate::redis_cluster::View;
use crate::subscribe::{Listening, add, remove};
use crate::targets::{Target, Targets};

/// Links to all masters.
pub(crate) struct Shards {
    table: Mutex<Table>,
    plan: Plan,
    outdated: Arc<Notify>,
    this: Weak<Self>,
}

struct Table {
    view: Arc<View>,
    /// By address.
    links: HashMap<Arc<str>, Link>,
    /// By channel.
    listening: Listening,
    /// What is for slots of which no master is known.
    homeless: Arc<Publisher>,
    is_closed: bool,
}

impl Table {
    fn owner(&self, channel: &str) -> Option<&Link> {
        self.links.get(&self.view.owner(channel)?.address)
    }

    /// Where what is published on a channel waits.
    fn queue(&self, channel: &str) -> &Arc<Publisher> {
        self.owner(channel).map_or(&self.homeless, |link| &link.publisher)
    }

    /// Gives messages back to queues, in which they were before others. How many are lost.
    fn put_back(&self, messages: Vec<Message>) -> usize {
        let is_lost = |message: Message| !self.queue(&message.0).put_back(message);
        messages.into_iter().rev().map(is_lost).filter(|is| *is).count()
    }
}

impl Shards {
    pub(crate) fn new(plan: Plan, outdated: Arc<Notify>) -> Arc<Self> {
        let homeless = Arc::new(Publisher::new(plan.limits, Arc::clone(&plan.counters), None));
        Arc::new_cyclic(|this| Self {
            table: Mutex::new(Table {
                view: Arc::default(),
                links: HashMap::new(),
                listening: Listening::new(),
                homeless,
                is_closed: false,
            }),
            plan,
            outdated,
            this: this.clone(),
        })
    }

    /// The task: follows the slots as long as somebody has the shards.
    pub(crate) async fn follow(this: Weak<Self>, mut views: watch::Receiver<Arc<View>>) {
        while views.changed().await.is_ok() {
            let view = Arc::clone(&views.borrow_and_update());
            let Some(this) = this.upgrade() else { return };
            this.on_view(view);
        }
    }

    fn on_view(&self, view: Arc<View>) {
        let lost = {
            let table = &mut *self.lock();
            if table.is_closed {
                return;
            }
            let before = std::mem::replace(&mut table.view, view);
            for master in table.view.masters() {
                if !table.links.contains_key(&master.address) {
                    table.links.insert(Arc::clone(&master.address), self.open(master));
                }
            }
            for (channel, receivers) in &table.listening {
                let address =
                    |view: &View| view.owner(channel).map(|master| Arc::clone(&master.address));
                let (old, new) = (address(&before), address(&table.view));
                if old == new {
                    continue;
                }
                let link = |address: Option<Arc<str>>| {
                    address.and_then(|address| table.links.get(&address))
                };
                let (old, new) = (link(old), link(new));
                for receiver in receivers {
                    let channel = Channel::Named(channel.clone());
                    if let Some(link) = old {
                        link.subscriber.unsubscribe(&channel, receiver);
                    }
                    if let Some(link) = new {
                        drop(link.subscriber.subscribe(channel, receiver));
                    }
                }
            }
            let mut moved = table.homeless.take_if(|channel| table.owner(channel).is_some());
            for (address, link) in &table.links {
                moved.extend(link.publisher.take_if(|channel| {
                    table.view.owner(channel).is_none_or(|owner| owner.address != *address)
                }));
            }
            let lost = table.put_back(moved);
            let masters = table.view.masters();
            table.links.retain(|address, link| {
                let is_master = masters.iter().any(|master| master.address == *address);
                if !is_master {
                    link.close();
                }
                is_master
            });
            lost
        };
        self.lost(lost);
        self.plan.counters.changed();
    }

    fn open(&self, master: &Target) -> Link {
        let this = self.this.clone();
        let on_refused = move |messages: Vec<Message>| {
            if let Some(this) = this.upgrade() {
                let lost = this.lock().put_back(messages);
                this.lost(lost);
            }
        };
        let targets = Targets::one(master.clone(), Arc::clone(&self.outdated));
        Link::open(&self.plan, targets, Some(Box::new(on_refused)))
    }

    pub(crate) fn publish(&self, channel: String, payload: Bytes) -> Result<(), Full> {
        let offered = {
            let table = self.lock();
            let queue = table.queue(&channel);
            queue.offer(channel, payload)
        };
        if offered.is_err() {
            self.lost(1);
        }
        offered
    }

    pub(crate) fn subscribe(
        &self,
        channel: Channel,
        receiver: &Arc<dyn Receiver>,
    ) -> AdapterFuture<()> {
        let done = || Box::pin(std::future::ready(Ok(())));
        let table = &mut *self.lock();
        let Channel::Named(name) = &channel else {
            debug_assert!(false, "sharded channels have no patterns");
            return done();
        };
        add(&mut table.listening, name, receiver);
        // with a new master it is subscribed
        match table.owner(name) {
            Some(link) => link.subscriber.subscribe(channel, receiver),
            None => done(),
        }
    }

    pub(crate) fn unsubscribe(&self, channel: &Channel, receiver: &Arc<dyn Receiver>) {
        let table = &mut *self.lock();
        let Channel::Named(name) = channel else { return };
        remove(&mut table.listening, name, receiver);
        if let Some(link) = table.owner(name) {
            link.subscriber.unsubscribe(channel, receiver);
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        let table = self.lock();
        !table.links.is_empty()
            && table.links.values().all(Link::is_ready)
            && (table.view.is_complete
                || table.listening.keys().all(|channel| table.owner(channel).is_some()))
    }

    pub(crate) fn publishers(&self) -> Vec<Arc<Publisher>> {
        let table = self.lock();
        let linked = table.links.values().map(|link| &link.publisher);
        linked.chain([&table.homeless]).cloned().collect()
    }

    pub(crate) fn close(&self) {
        let homeless = {
            let table = &mut *self.lock();
            table.is_closed = true;
            table.links.values().for_each(Link::close);
            Arc::clone(&table.homeless)
        };
        homeless.end();
    }

    fn lost(&self, messages: usize) {
        if messages > 0 {
            self.plan.counters.lost(messages);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.lock();
        f.debug_struct("Shards")
            .field("view", &table.view)
            .field("channels", &table.listening.len())
            .finish_non_exhaustive()
    }
}
