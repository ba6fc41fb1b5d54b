//! What is known of the clients of one address: how many connections and sessions, and how fast.
//!
//! Addresses of IPv6 count by network, for everybody has as many of them as they like. The table is
//! bounded: an address that is not in use and whose buckets are full again is forgotten as if it had
//! never been, and of more than `max_addresses` those that were seen longest ago. Where no limit per
//! address is set there is no table.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use engineio_proto::guard::lock;

use crate::limits::bucket::Bucket;
use crate::options::Options;

/// The addresses that were seen.
#[derive(Debug)]
pub(crate) struct AddressTable {
    table: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    by_key: HashMap<IpAddr, Arc<Address>>,
    /// With that many it is looked for those that can be forgotten.
    sweep_at: usize,
}

/// One address; whoever holds it uses it.
#[derive(Debug)]
pub(crate) struct Address(Mutex<State>);

#[derive(Debug)]
pub(crate) struct State {
    sessions: usize,
    /// Connections of our own listeners that are no WebSockets.
    connections: usize,
    seen: Instant,
    pub(crate) messages: Option<Bucket>,
    pub(crate) bytes: Option<Bucket>,
    connects: Option<Bucket>,
}

/// A session's permit among those of its address.
#[derive(Debug)]
pub(crate) struct AddressPermit(Arc<Address>);

/// A connection's permit among those of its address.
#[derive(Debug)]
pub(crate) struct PeerPermit(Arc<Address>);

impl AddressTable {
    /// `None`: the options have no limit per address.
    pub(crate) fn new(options: &Options) -> Option<Self> {
        let is_used = options.max_sessions_per_address.is_some()
            || options.max_connections_per_address.is_some()
            || options.max_connect_rate_per_address.is_some()
            || options.max_message_rate_per_address.is_some()
            || options.max_byte_rate_per_address.is_some();
        let table = Table { by_key: HashMap::new(), sweep_at: options.max_addresses };
        is_used.then(|| Self { table: Mutex::new(table) })
    }

    pub(crate) fn get(&self, options: &Options, address: IpAddr, now: Instant) -> Arc<Address> {
        let key = network_of(address, options.ipv6_prefix);
        let mut forgotten = Vec::new();
        let found = {
            let mut table = lock(&self.table);
            if let Some(found) = table.by_key.get(&key) {
                return Arc::clone(found);
            }
            if table.by_key.len() >= table.sweep_at {
                forgotten = table.sweep(options.max_addresses, now);
            }
            let new = Arc::new(Address::new(options, now));
            table.by_key.insert(key, Arc::clone(&new));
            new
        };
        drop(forgotten); // outside of the lock
        found
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        lock(&self.table).by_key.len()
    }
}

impl Table {
    /// Forgets what can be forgotten; of what is left and not in use, the older half if need be, so
    /// that a sweep comes after many insertions.
    fn sweep(&mut self, max: usize, now: Instant) -> Vec<Arc<Address>> {
        let mut forgotten = Vec::new();
        let mut unused = Vec::new();
        self.by_key.retain(|key, address| {
            if Arc::strong_count(address) > 1 {
                return true;
            }
            let mut state = lock(&address.0);
            let is_needed = !state.is_at_rest(now);
            if is_needed {
                unused.push((state.seen, *key));
            } else {
                forgotten.push(Arc::clone(address));
            }
            is_needed
        });
        let in_use = self.by_key.len() - unused.len();
        self.sweep_at = max.max(in_use + max.div_ceil(2));
        if self.by_key.len() + max / 4 > self.sweep_at {
            let until = older_half(&unused);
            let oldest = unused.iter().filter(|(seen, _)| Some(*seen) <= until);
            forgotten.extend(oldest.filter_map(|(_, key)| self.by_key.remove(key)));
        }
        forgotten
    }
}

/// Until when those were seen that are the older half, and an eighth more at most unless they were
/// seen at the same time. Found by halving the time: to sort them is more code than it is worth.
fn older_half(seen: &[(Instant, IpAddr)]) -> Option<Instant> {
    let times = || seen.iter().map(|(seen, _)| *seen);
    let (mut from, mut until) = (times().min()?, times().max()?);
    let half = seen.len() / 2 + 1;
    while until > from {
        let middle = from + (until - from) / 2;
        let count = times().filter(|time| *time <= middle).count();
        if count < half {
            // times have no half nanoseconds
            from = middle + Duration::from_nanos(1);
        } else {
            until = middle;
            if count <= half + seen.len() / 8 {
                break;
            }
        }
    }
    Some(until)
}

impl Address {
    fn new(options: &Options, now: Instant) -> Self {
        let bucket = |rate: Option<_>| rate.map(|rate| Bucket::new(rate, now));
        Self(Mutex::new(State {
            sessions: 0,
            connections: 0,
            seen: now,
            messages: bucket(options.max_message_rate_per_address),
            bytes: bucket(options.max_byte_rate_per_address),
            connects: bucket(options.max_connect_rate_per_address),
        }))
    }

    /// A handshake.
    ///
    /// # Errors
    /// It is one too many; the next may come after this time.
    pub(crate) fn connect(&self, now: Instant) -> Result<(), Duration> {
        let mut state = lock(&self.0);
        state.seen = now;
        state.connects.as_mut().map_or(Ok(()), |connects| connects.take(now))
    }

    /// A permit for a session, if there is one.
    pub(crate) fn acquire(self: Arc<Self>, max: Option<usize>) -> Option<AddressPermit> {
        {
            let mut state = lock(&self.0);
            if max.is_some_and(|max| state.sessions >= max) {
                return None;
            }
            state.sessions += 1;
        }
        Some(AddressPermit(self))
    }

    /// A permit for a connection, if there is one.
    pub(crate) fn acquire_connection(self: Arc<Self>, max: usize) -> Option<PeerPermit> {
        {
            let mut state = lock(&self.0);
            if state.connections >= max {
                return None;
            }
            state.connections += 1;
        }
        Some(PeerPermit(self))
    }
}

impl State {
    fn is_at_rest(&mut self, now: Instant) -> bool {
        [&mut self.messages, &mut self.bytes, &mut self.connects]
            .into_iter()
            .flatten()
            .all(|bucket| bucket.has(now, 1.0))
    }
}

impl AddressPermit {
    pub(crate) fn state<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        f(&mut lock(&self.0.0))
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        lock(&self.0.0).sessions -= 1;
    }
}

impl Drop for PeerPermit {
    fn drop(&mut self) {
        lock(&self.0.0).connections -= 1;
    }
}

/// What an address counts as: itself, or the network that it is of.
pub(crate) fn network_of(address: IpAddr, prefix: u8) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rate;

    #[test]
    fn ipv6_counts_by_network() {
        let key = |text: &str, prefix| network_of(text.parse().unwrap(), prefix).to_string();
        assert_eq!(key("2001:db8:1:2:3:4:5:6", 64), "2001:db8:1:2::");
        assert_eq!(key("2001:db8:1:2:3:4:5:6", 48), "2001:db8:1::");
        assert_eq!(key("2001:db8:1:2:3:4:5:6", 128), "2001:db8:1:2:3:4:5:6");
        assert_eq!(key("2001:db8:1:2:3:4:5:6", 0), "::");
        assert_eq!(key("::ffff:192.0.2.1", 64), "192.0.2.1");
        assert_eq!(key("192.0.2.1", 64), "192.0.2.1");
    }

    #[test]
    fn the_table_is_bounded() {
        let options = Options {
            max_addresses: 100,
            max_connect_rate_per_address: Some(Rate::new(10, Duration::from_secs(10))),
            ..Options::default()
        };
        let addresses = AddressTable::new(&options).unwrap();
        let start = Instant::now();
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        let get = |n, now| addresses.get(&options, address(n), now);
        let used: Vec<AddressPermit> =
            (0..50).map(|n| get(n, start).acquire(None).unwrap()).collect();
        for n in 0..10_000 {
            let now = start + Duration::from_millis(n);
            assert!(get(1000 + n as u32, now).connect(now).is_ok());
            assert!(addresses.len() <= 100);
        }
        // those in use are never forgotten, nor is the one that was seen last
        assert!((0..50).all(|n| Arc::ptr_eq(&get(n, start), &used[n as usize].0)));
        let now = start + Duration::from_secs(10);
        let last = get(10_999, now);
        assert!((0..9).all(|_| last.connect(now).is_ok()));
        assert!(last.connect(now).is_err());
        drop((used, last));
        // all have come to rest
        let later = start + Duration::from_secs(100);
        for n in 0..51 {
            let _ = get(20_000 + n, later);
        }
        assert!(addresses.len() <= 51, "{}", addresses.len());
    }
}
