//! Entries of streams, as Redis answers with them, and what it says of a stream.

use redis::Value;
use socketio_adapter::{Entry, Offset};

/// The entries of a `XREAD`, stream by stream, each with the number that `number` has for its name.
pub(crate) fn of_streams(
    answer: Value,
    number: impl Fn(&[u8]) -> Option<usize>,
) -> Vec<(usize, Vec<Entry>)> {
    let streams: Vec<(Value, Value)> = match answer {
        Value::Map(streams) => streams,
        Value::Array(streams) => streams.into_iter().filter_map(pair).collect(),
        _ => Vec::new(),
    };
    let stream = |(name, entries)| {
        let Value::BulkString(name) = name else { return None };
        let number = number(&name)?;
        Some((number, of_range(entries, number)))
    };
    streams.into_iter().filter_map(stream).collect()
}

/// The entries of an `XRANGE`.
pub(crate) fn of_range(answer: Value, part: usize) -> Vec<Entry> {
    let Value::Array(entries) = answer else { return Vec::new() };
    entries.into_iter().filter_map(|entry| self::entry(entry, part)).collect()
}

fn entry(value: Value, part: usize) -> Option<Entry> {
    let (id, fields) = pair(value)?;
    let mut entry = Entry { part, offset: offset(&id)?, ..Entry::default() };
    let fields: Vec<(Value, Value)> = match fields {
        Value::Map(fields) => fields,
        Value::Array(fields) => {
            let mut fields = fields.into_iter();
            std::iter::from_fn(|| fields.next().zip(fields.next())).collect()
        }
        _ => Vec::new(),
    };
    // whatever their order, and what else there may be
    for (name, value) in fields {
        let (Value::BulkString(name), Value::BulkString(value)) = (name, value) else { continue };
        match name.as_slice() {
            b"uid" => entry.uid = Some(value),
            b"type" => entry.kind = Some(value),
            b"data" => entry.data = Some(value),
            b"nsp" => entry.namespace = String::from_utf8(value).unwrap_or_default(),
            _ => {}
        }
    }
    Some(entry)
}

fn pair(value: Value) -> Option<(Value, Value)> {
    let Value::Array(items) = value else { return None };
    let [one, other] = <[Value; 2]>::try_from(items).ok()?;
    Some((one, other))
}

fn offset(id: &Value) -> Option<Offset> {
    match id {
        Value::BulkString(id) => std::str::from_utf8(id).ok()?.parse().ok(),
        Value::SimpleString(id) => id.parse().ok(),
        _ => None,
    }
}

/// What Redis says of a stream; of one that is not there the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamInfo {
    /// The offset of the newest entry that there ever was.
    pub(crate) last: Offset,
    /// The oldest entry that is there.
    pub(crate) first: Option<Offset>,
    pub(crate) length: u64,
    /// How many entries there ever were. `None`: Redis does not count them (before 7).
    pub(crate) added: Option<u64>,
}

impl StreamInfo {
    /// Of what `XINFO STREAM` was answered.
    pub(crate) fn read(answer: Value) -> Self {
        let fields: Vec<(Value, Value)> = match answer {
            Value::Map(fields) => fields,
            Value::Array(fields) => {
                let mut fields = fields.into_iter();
                std::iter::from_fn(|| fields.next().zip(fields.next())).collect()
            }
            _ => Vec::new(),
        };
        let mut info = Self::default();
        let count = |value: &Value| match value {
            Value::Int(count) => u64::try_from(*count).ok(),
            _ => None,
        };
        for (name, value) in fields {
            let name = match name {
                Value::BulkString(name) => name,
                Value::SimpleString(name) => name.into_bytes(),
                _ => continue,
            };
            match name.as_slice() {
                b"last-generated-id" => info.last = offset(&value).unwrap_or_default(),
                b"first-entry" => info.first = pair(value).and_then(|(id, _)| offset(&id)),
                b"length" => info.length = count(&value).unwrap_or_default(),
                b"entries-added" => info.added = count(&value),
                _ => {}
            }
        }
        info
    }

    /// There is no such stream, which a counter of Redis 7 would begin at 0.
    pub(crate) fn missing() -> Self {
        Self { added: Some(0), ..Self::default() }
    }
}

/// Whether an error says that there is no such stream.
pub(crate) fn is_missing(error: &redis::RedisError) -> bool {
    error.code() == Some("ERR")
        && error.detail().is_some_and(|detail| detail.contains("no such key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn list<const N: usize>(items: [Value; N]) -> Value {
        Value::Array(items.into())
    }

    #[test]
    fn entries_are_read_by_the_names_of_their_fields() {
        let fields = ["data", "{}", "type", "3", "more", "x", "nsp", "/", "uid", "a"].map(text);
        let good = list([text("5-1"), list(fields)]);
        let odd = [
            list([text("5-2"), list([text("type"), text("3"), text("odd")])]),
            list([text("5-3"), Value::Nil]),
            list([text("no"), list([])]),
            text("none"),
        ];
        let [a, b, c, d] = odd;
        let entries = list([good, a, b, c, d]);
        let number = |name: &[u8]| (name == b"s").then_some(7);
        for answer in [
            Value::Map(vec![(text("s"), entries.clone()), (text("other"), entries.clone())]),
            list([list([text("s"), entries])]),
        ] {
            let streams = of_streams(answer, number);
            let [(7, entries)] = &streams[..] else { panic!("{streams:?}") };
            let good = Entry {
                part: 7,
                offset: Offset(5, 1),
                namespace: "/".to_owned(),
                uid: Some(b"a".to_vec()),
                kind: Some(b"3".to_vec()),
                data: Some(b"{}".to_vec()),
            };
            assert_eq!(entries[0], good);
            let offsets: Vec<_> = entries.iter().map(|entry| entry.offset).collect();
            assert_eq!(offsets, [Offset(5, 1), Offset(5, 2), Offset(5, 3)]);
            assert_eq!(entries[1].kind.as_deref(), Some(&b"3"[..]));
        }
        assert!(of_streams(Value::Nil, number).is_empty());
    }

    #[test]
    fn what_is_said_of_a_stream() {
        let info = vec![
            (text("length"), Value::Int(2)),
            (text("last-generated-id"), text("9-0")),
            (text("entries-added"), Value::Int(12)),
            (text("first-entry"), list([text("8-0"), list([])])),
        ];
        let read = StreamInfo::read(Value::Map(info.clone()));
        let expected = StreamInfo {
            last: Offset(9, 0),
            first: Some(Offset(8, 0)),
            length: 2,
            added: Some(12),
        };
        assert_eq!(read, expected);
        let flat = info.into_iter().flat_map(|(name, value)| [name, value]).collect();
        assert_eq!(StreamInfo::read(Value::Array(flat)), expected);
        assert_eq!(StreamInfo::read(Value::Nil), StreamInfo::default());
    }
}
