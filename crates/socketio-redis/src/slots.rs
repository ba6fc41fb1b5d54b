//! The slots of a cluster, and the servers that have them.

use redis::Value;

/// A part of the slots, its master and its replicas as (host, port).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u16,
    pub(crate) last: u16,
    /// The master is the first.
    pub(crate) nodes: Vec<(String, u16)>,
}

/// The slot of a channel.
// Redis Cluster specification: Hash tags
pub(crate) fn slot_of(channel: &str) -> u16 {
    let key = channel.as_bytes();
    let tag = channel.split_once('{').and_then(|(_, behind)| behind.split_once('}'));
    let hashed = match tag {
        Some((tag, _)) if !tag.is_empty() => tag.as_bytes(),
        _ => key,
    };
    crc16(hashed) % SLOTS
}

/// The XMODEM form of CRC16, of which the crate redis makes no use that could be called.
// Redis Cluster specification: Key distribution model
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

/// Reads the answer to `CLUSTER SLOTS`, which came from `host`. What cannot be read is left out.
// Redis: CLUSTER SLOTS
pub(crate) fn ranges(answer: Value, host: &str) -> Vec<Range> {
    let Value::Array(entries) = answer else { return Vec::new() };
    let mut ranges: Vec<Range> = entries.into_iter().filter_map(|one| range(one, host)).collect();
    ranges.sort_by_key(|range| range.first);
    ranges
}

fn range(entry: Value, host: &str) -> Option<Range> {
    let Value::Array(parts) = entry else { return None };
    let mut parts = parts.into_iter();
    let mut slot = || match parts.next() {
        Some(Value::Int(slot)) => u16::try_from(slot).ok().filter(|slot| *slot < SLOTS),
        _ => None,
    };
    let (first, last) = (slot()?, slot()?);
    let nodes: Vec<Option<(String, u16)>> = parts.map(|part| node(part, host)).collect();
    // without a master the slots have none
    nodes.first()?.as_ref()?;
    (first <= last).then(|| Range { first, last, nodes: nodes.into_iter().flatten().collect() })
}

fn node(part: Value, host: &str) -> Option<(String, u16)> {
    let Value::Array(fields) = part else { return None };
    let at = match fields.first()? {
        Value::BulkString(at) => std::str::from_utf8(at).ok()?,
        Value::Nil => "",
        _ => return None,
    };
    let port = match fields.get(1)? {
        Value::Int(port) => u16::try_from(*port).ok()?,
        _ => return None,
    };
    match at {
        // it does not know by which name it is called
        "" => Some((host.to_owned(), port)),
        "?" => None,
        at => Some((at.to_owned(), port)),
    }
}

pub(crate) const SLOTS: u16 = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_of_channels() {
        // the value of the specification
        assert_eq!(crc16(b"123456789"), 0x31c3);
        // as a server's CLUSTER KEYSLOT says
        for (channel, slot) in [
            ("socket.io#/#", 13_868),
            ("", 0),
            ("foo", 12_182),
            ("a{foo}b", 12_182),
            ("{foo}{bar}", 12_182),
            ("a{}foo", 16_292),
            ("}{foo", 3_840),
        ] {
            assert_eq!(slot_of(channel), slot, "{channel}");
        }
    }

    #[test]
    fn ranges_of_answers() {
        let text = |text: &str| Value::BulkString(text.into());
        let node = |host, port| Value::Array(vec![host, Value::Int(port), text("id")]);
        let entry = |first, last, nodes: Vec<Value>| {
            Value::Array([vec![Value::Int(first), Value::Int(last)], nodes].concat())
        };
        let answer = Value::Array(vec![
            entry(100, 16_383, vec![node(text(""), 2), node(text("?"), 3), node(text("c"), 4)]),
            entry(0, 99, vec![node(Value::Nil, 1)]),
            // none of these is one
            entry(0, 16_384, vec![node(text("a"), 1)]),
            entry(7, 6, vec![node(text("a"), 1)]),
            entry(-1, 6, vec![node(text("a"), 1)]),
            entry(0, 6, vec![]),
            entry(0, 6, vec![node(text("a"), 65_536)]),
            entry(0, 6, vec![node(text("?"), 1), node(text("a"), 1)]),
            Value::Array(vec![]),
            Value::Nil,
        ]);
        let read: Vec<_> =
            ranges(answer, "me").into_iter().map(|one| (one.first, one.last, one.nodes)).collect();
        let me = |port| ("me".to_owned(), port);
        assert_eq!(read, [(0, 99, vec![me(1)]), (100, 16_383, vec![me(2), ("c".to_owned(), 4)]),]);
        assert_eq!(ranges(Value::Nil, "me"), []);
    }
}
