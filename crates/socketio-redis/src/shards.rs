//! Sharded messages in a Redis Cluster: each channel belongs to a slot, and each slot to a master.
//!
//! There is a link to each master, and a table of all that is listened to. Who has which slots changes
//! while messages are on their way; then subscriptions and what waits in queues go over to the new
//! master, and a master that is none any more loses its link. A message that a master refused, because
//! it knew of the change first, is taken back and goes where the slot is then.
//!
//! Lock order: the table here, then those of the links. Whom that concerns is told after both.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use socketio_adapter::guard::{Held, lock};
use socketio_adapter::{AdapterFuture, Channel, QueueFull, Receiver};
use tokio::sync::{Notify, watch};

use crate::link::{Link, Plan};
use crate::listening::{Listening, add, remove};
use crate::publish::{Message, Publisher};
use crate::redis_cluster::View;
use crate::subscribe::{Gone, Subscriber};
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

    /// Goes over to a new view. How many messages are lost.
    fn follow(&mut self, view: Arc<View>, new: Vec<(Arc<str>, Link)>, news: &mut News) -> usize {
        if self.is_closed {
            news.closed.extend(new.into_iter().map(|(_, link)| link));
            return 0;
        }
        let before = std::mem::replace(&mut self.view, view);
        self.links.extend(new);
        for (channel, receivers) in &self.listening {
            let address =
                |view: &View| view.owner(channel).map(|master| Arc::clone(&master.address));
            let (old, new) = (address(&before), address(&self.view));
            if old == new {
                continue;
            }
            let link =
                |address: Option<Arc<str>>| address.and_then(|address| self.links.get(&address));
            let (old, new) = (link(old), link(new));
            for receiver in receivers {
                let channel = Channel::Named(channel.clone());
                if let Some(link) = old {
                    news.of_subscriptions(link, link.subscriber.withdraw(&channel, receiver));
                }
                if let Some(link) = new {
                    let (confirmed, gone) = link.subscriber.enter(channel, receiver);
                    news.of_subscriptions(link, gone);
                    news.confirmed.push(confirmed);
                }
            }
        }
        let mut moved = self.homeless.take_if(|channel| self.owner(channel).is_some());
        news.of_queue(&self.homeless);
        for (address, link) in &self.links {
            moved.extend(link.publisher.take_if(|channel| {
                self.view.owner(channel).is_none_or(|owner| owner.address != *address)
            }));
            news.of_queue(&link.publisher);
        }
        let lost = self.put_back(moved, news);
        let is_master =
            |address: &str| self.view.masters().iter().any(|master| *master.address == *address);
        let gone: Vec<Arc<str>> =
            self.links.keys().filter(|address| !is_master(address)).cloned().collect();
        news.closed.extend(gone.iter().filter_map(|address| self.links.remove(address)));
        lost
    }

    /// Gives messages back to queues, in which they were before others. How many are lost.
    fn put_back(&self, messages: Vec<Message>, news: &mut News) -> usize {
        let mut lost = 0;
        for message in messages.into_iter().rev() {
            let queue = self.queue(&message.key);
            news.of_queue(queue);
            lost += usize::from(!queue.put_back(message));
        }
        lost
    }
}

/// What a section did to links, for them to be told of after it.
#[derive(Default)]
struct News {
    queues: Vec<Arc<Publisher>>,
    subscriptions: Vec<(Arc<Subscriber>, Gone)>,
    /// Those that are to end.
    closed: Vec<Link>,
    /// Nobody waits for these.
    confirmed: Vec<AdapterFuture<()>>,
}

impl News {
    fn of_queue(&mut self, queue: &Arc<Publisher>) {
        if !self.queues.iter().any(|other| Arc::ptr_eq(other, queue)) {
            self.queues.push(Arc::clone(queue));
        }
    }

    fn of_subscriptions(&mut self, link: &Link, gone: Gone) {
        self.subscriptions.push((Arc::clone(&link.subscriber), gone));
    }

    fn tell(self) {
        let Self { queues, subscriptions, closed, confirmed } = self;
        queues.iter().for_each(|queue| queue.announce());
        for (subscriber, gone) in subscriptions {
            subscriber.announce(gone);
        }
        closed.iter().for_each(Link::close);
        drop(confirmed);
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
        // opened before the lock, as it spawns their tasks; nobody else opens any
        let is_new = |master: &&Target| !self.lock().links.contains_key(&master.address);
        let new: Vec<&Target> = view.masters().iter().filter(is_new).collect();
        let open = |master: &Target| (Arc::clone(&master.address), self.open(master));
        let new: Vec<_> = new.into_iter().map(open).collect();
        let mut news = News::default();
        let lost = self.lock().follow(view, new, &mut news);
        news.tell();
        self.lost(lost);
        self.plan.counters.changed();
    }

    fn open(&self, master: &Target) -> Link {
        let this = self.this.clone();
        let on_refused = move |messages: Vec<Message>| {
            if let Some(this) = this.upgrade() {
                let mut news = News::default();
                let lost = this.lock().put_back(messages, &mut news);
                news.tell();
                this.lost(lost);
            }
        };
        let targets = Targets::one(master.clone(), Arc::clone(&self.outdated));
        Link::open(&self.plan, targets, Some(Box::new(on_refused)))
    }

    pub(crate) fn publish(&self, message: Message) -> Result<(), QueueFull> {
        let (queue, offered) = {
            let table = self.lock();
            let queue = Arc::clone(table.queue(&message.key));
            let offered = queue.offer(message);
            (queue, offered)
        };
        match offered {
            Ok(()) => queue.announce(),
            Err(QueueFull) => self.lost(1),
        }
        offered
    }

    pub(crate) fn subscribe(
        &self,
        channel: Channel,
        receiver: &Arc<dyn Receiver>,
    ) -> AdapterFuture<()> {
        let Channel::Named(name) = &channel else {
            debug_assert!(false, "sharded channels have no patterns");
            return Box::pin(std::future::ready(Ok(())));
        };
        let entered = {
            let table = &mut *self.lock();
            add(&mut table.listening, name, receiver);
            let link = table.owner(name).cloned();
            link.map(|link| (link.subscriber.enter(channel, receiver), link))
        };
        // with a new master it is subscribed
        let Some(((confirmed, gone), link)) = entered else {
            return Box::pin(std::future::ready(Ok(())));
        };
        link.subscriber.announce(gone);
        confirmed
    }

    pub(crate) fn unsubscribe(&self, channel: &Channel, receiver: &Arc<dyn Receiver>) {
        let Channel::Named(name) = channel else { return };
        let withdrawn = {
            let table = &mut *self.lock();
            remove(&mut table.listening, name, receiver);
            let link = table.owner(name).cloned();
            link.map(|link| (link.subscriber.withdraw(channel, receiver), link))
        };
        if let Some((gone, link)) = withdrawn {
            link.subscriber.announce(gone);
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
        let (links, homeless) = {
            let table = &mut *self.lock();
            table.is_closed = true;
            (table.links.values().cloned().collect::<Vec<_>>(), Arc::clone(&table.homeless))
        };
        links.iter().for_each(Link::close);
        homeless.end();
    }

    fn lost(&self, messages: usize) {
        if messages > 0 {
            self.plan.counters.lost(messages);
        }
    }

    fn lock(&self) -> Held<MutexGuard<'_, Table>> {
        lock(&self.table)
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
