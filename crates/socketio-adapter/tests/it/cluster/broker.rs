//! A broker in memory: a message is with its receivers when it was published.

use std::fmt;
use std::future::{pending, ready};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use socketio_adapter::{AdapterError, AdapterFuture, Bus, Census, Channel, QueueFull, Receiver};

/// What the broker does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Health {
    #[default]
    Well,
    /// Its queue is full.
    Full,
    /// It cannot be asked who listens.
    Away,
    /// It does not answer that.
    Silent,
}

#[derive(Clone, Default)]
pub(crate) struct Broker(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    health: Health,
    cannot_count: bool,
    listening: Vec<(Channel, Arc<dyn Receiver>)>,
    published: Vec<(String, Bytes)>,
    flushes: usize,
}

impl Broker {
    pub(crate) fn is(&self, health: Health) {
        self.0.lock().unwrap().health = health;
    }

    /// A broker that does not know who listens.
    pub(crate) fn without_census() -> Self {
        let broker = Self::default();
        broker.0.lock().unwrap().cannot_count = true;
        broker
    }

    /// Somebody who listens and never answers.
    pub(crate) fn add_mute(&self, channel: &str) {
        struct Mute;
        impl Receiver for Mute {
            fn receive(&self, _: &str, _: &[u8]) {}
        }
        drop(self.subscribe(Channel::Named(channel.to_owned()), &(Arc::new(Mute) as _)));
    }

    /// The channels that somebody listens to, sorted; one that two listen to is there twice.
    pub(crate) fn channels_in_use(&self) -> Vec<String> {
        let state = self.0.lock().unwrap();
        let name = |(channel, _): &(Channel, _)| match channel {
            Channel::Named(name) => name.clone(),
            Channel::BeginningWith(beginning) => format!("{beginning}*"),
        };
        let mut names: Vec<_> = state.listening.iter().map(name).collect();
        names.sort();
        names
    }

    /// What was published since this was asked last.
    pub(crate) fn published(&self) -> Vec<(String, Bytes)> {
        std::mem::take(&mut self.0.lock().unwrap().published)
    }

    pub(crate) fn flushes(&self) -> usize {
        self.0.lock().unwrap().flushes
    }

    /// Hands a message to those who listen; all of them have it at the same time.
    pub(crate) fn deliver(&self, channel: &str, payload: &[u8]) {
        let is_meant = |wanted: &Channel| match wanted {
            Channel::Named(name) => name == channel,
            Channel::BeginningWith(beginning) => channel.starts_with(beginning.as_str()),
        };
        let found: Vec<_> = {
            let state = self.0.lock().unwrap();
            let meant = state.listening.iter().filter(|(wanted, _)| is_meant(wanted));
            meant.map(|(_, receiver)| Arc::clone(receiver)).collect()
        };
        for receiver in found {
            receiver.together(&mut || receiver.receive(channel, payload));
        }
    }

    /// An answer that the health allows.
    fn count(&self, count: usize) -> AdapterFuture<usize> {
        match self.0.lock().unwrap().health {
            Health::Well | Health::Full => Box::pin(ready(Ok(count))),
            Health::Away => Box::pin(ready(Err(AdapterError::Backend("away".into())))),
            Health::Silent => Box::pin(pending()),
        }
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Broker")
    }
}

impl Bus for Broker {
    fn publish(&self, channel: String, payload: Bytes) -> Result<(), QueueFull> {
        {
            let mut state = self.0.lock().unwrap();
            if state.health == Health::Full {
                return Err(QueueFull);
            }
            state.published.push((channel.clone(), payload.clone()));
        }
        self.deliver(&channel, &payload);
        Ok(())
    }

    fn flush(&self) {
        self.0.lock().unwrap().flushes += 1;
    }

    fn subscribe(&self, channel: Channel, receiver: &Arc<dyn Receiver>) -> AdapterFuture<()> {
        let mut state = self.0.lock().unwrap();
        if !state.listening.iter().any(|(c, r)| *c == channel && is_same(r, receiver)) {
            state.listening.push((channel, Arc::clone(receiver)));
        }
        match state.health {
            Health::Away => Box::pin(ready(Err(AdapterError::Backend("away".into())))),
            _ => Box::pin(ready(Ok(()))),
        }
    }

    fn unsubscribe(&self, channel: &Channel, receiver: &Arc<dyn Receiver>) {
        let mut state = self.0.lock().unwrap();
        state.listening.retain(|(c, r)| c != channel || !is_same(r, receiver));
    }

    fn census(&self) -> Option<&dyn Census> {
        let cannot_count = self.0.lock().unwrap().cannot_count;
        (!cannot_count).then_some(self as _)
    }
}

impl Census for Broker {
    fn subscribers(&self, channel: &str) -> AdapterFuture<usize> {
        let channels = self.channels_in_use();
        self.count(channels.iter().filter(|name| *name == channel).count())
    }

    fn channels(&self, beginning: &str, end: &str) -> AdapterFuture<usize> {
        let mut channels = self.channels_in_use();
        channels.dedup();
        let is_meant = |name: &&String| {
            name.len() > beginning.len() && name.starts_with(beginning) && name.ends_with(end)
        };
        self.count(channels.iter().filter(is_meant).count())
    }
}

fn is_same(one: &Arc<dyn Receiver>, other: &Arc<dyn Receiver>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}
