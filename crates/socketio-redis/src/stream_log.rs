//! Redis streams as the log of a cluster, and Redis as the store of its sessions.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, Value};
use socketio_adapter::{
    AdapterError, AdapterFuture, Cover, Entry, Follower, Log, NewEntry, Offset, QueueFull, Store,
};
use tokio::time::timeout;

use crate::bus::Parts;
use crate::connection::{Answered, silent};
use crate::entries::{StreamInfo, is_missing, of_range};
use crate::links::Links;
use crate::publish::{Head, Message, Trim};
use crate::reader::Reader;
use crate::stream_names::StreamNames;

/// The streams of a cluster.
#[derive(Debug)]
pub(crate) struct StreamLog {
    pub(crate) parts: Arc<Parts>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) names: StreamNames,
    /// Those of the names.
    pub(crate) streams: Arc<[String]>,
    pub(crate) trim: Trim,
    /// How the keys of sessions begin.
    pub(crate) key_prefix: String,
}

impl StreamLog {
    fn connection(&self) -> Option<MultiplexedConnection> {
        match &*self.parts.links {
            Links::One(link) => link.publisher.connection(),
            Links::Each(_) => None,
        }
    }

    /// Asks Redis something. Fails at once while there is no connection.
    fn ask<T: Send + 'static>(
        &self,
        question: Pipeline,
        read: impl FnOnce(Answered) -> Result<T, RedisError> + Send + 'static,
    ) -> AdapterFuture<T> {
        let connection = self.connection();
        Box::pin(async move {
            let Some(mut connection) = connection else {
                return Err(AdapterError::Backend("there is no connection to Redis".into()));
            };
            let mut question = question;
            let asked = question.ignore_errors().query_async::<Answered>(&mut connection);
            let answers = timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(silent()));
            answers.and_then(read).map_err(|error| AdapterError::Backend(error.into()))
        })
    }

    fn key(&self, pid: &str) -> String {
        format!("{}{pid}", self.key_prefix)
    }
}

impl Log for StreamLog {
    fn append(&self, entry: NewEntry) -> Result<(), QueueFull> {
        let NewEntry { namespace, uid, kind, data } = entry;
        let key = self.streams[self.names.of(&namespace)].clone();
        let head = Head { trim: self.trim, uid, namespace, kind };
        self.parts.links.publish(Message { key, payload: data, entry: Some(Box::new(head)) })
    }

    fn follow(&self, namespace: &str, follower: &Arc<dyn Follower>) {
        self.reader.follow(namespace, follower);
    }

    fn unfollow(&self, namespace: &str, follower: &Arc<dyn Follower>) {
        self.reader.unfollow(namespace, follower);
    }

    fn is_connected(&self) -> bool {
        self.connection().is_some() && self.reader.is_ready()
    }

    fn cover(&self, namespace: &str, offset: Offset) -> AdapterFuture<Cover> {
        let mut question = Pipeline::new();
        let parts = self.names.may_have(namespace);
        for part in &parts {
            let stream = &self.streams[*part];
            question.cmd("XRANGE").arg(stream).arg(offset.to_string()).arg(offset.to_string());
            question.cmd("XINFO").arg("STREAM").arg(stream);
        }
        self.ask(question, move |answers| {
            let mut answers = answers.into_iter();
            let mut looks = Vec::new();
            while let (Some(entry), Some(info)) = (answers.next(), answers.next()) {
                let is_there = matches!(entry?, Value::Array(entries) if !entries.is_empty());
                let info = match info {
                    Ok(info) => StreamInfo::read(info),
                    Err(error) if is_missing(&error) => StreamInfo::missing(),
                    Err(error) => return Err(error),
                };
                looks.push((is_there, info));
            }
            Ok(covered(&looks, offset))
        })
    }

    fn range(&self, namespace: &str, after: Offset, limit: usize) -> AdapterFuture<Vec<Entry>> {
        let Some(from) = next(after) else {
            return Box::pin(std::future::ready(Ok(Vec::new())));
        };
        let mut question = Pipeline::new();
        let parts = self.names.may_have(namespace);
        for part in &parts {
            let stream = &self.streams[*part];
            let command = question.cmd("XRANGE").arg(stream).arg(from.to_string()).arg("+");
            command.arg("COUNT").arg(limit);
        }
        self.ask(question, move |answers| {
            let mut all = Vec::new();
            // what lies behind the end of one is not known of the others
            let mut end = Offset(u64::MAX, u64::MAX);
            for (answer, part) in answers.into_iter().zip(parts) {
                let entries = of_range(answer?, part);
                if let Some(last) = entries.last().filter(|_| entries.len() >= limit) {
                    end = end.min(last.offset);
                }
                all.extend(entries);
            }
            all.retain(|entry| entry.offset <= end);
            all.sort_by_key(|entry| (entry.offset, entry.part));
            Ok(all)
        })
    }

    fn capacity(&self) -> usize {
        match self.trim {
            // what a node of the tree has may be there besides
            Trim::Count(count) => count.saturating_add(200),
            Trim::Age(_) => MAX_ENTRIES,
        }
    }

    fn store(&self) -> &dyn Store {
        self
    }
}

/// What there is from an offset on in the streams that may have it, the first of which is the
/// namespace's own.
fn covered(looks: &[(bool, StreamInfo)], offset: Offset) -> Cover {
    let is_there = looks.iter().any(|(is_there, _)| *is_there);
    let is_never_trimmed = |info: &StreamInfo| info.added.is_some_and(|added| added == info.length);
    let is_whole = |(at, (is_there, info)): (usize, &(bool, StreamInfo))| {
        let reaches_back = *is_there || info.first.is_some_and(|first| first <= offset);
        // of its own stream there was nothing, or what there was is gone
        let is_from_the_beginning =
            is_never_trimmed(info) && (at > 0 || offset == Offset::default());
        // the last that there was
        let is_at_the_end = info.last == offset;
        reaches_back || is_from_the_beginning || is_at_the_end
    };
    Cover { is_there, is_complete: looks.iter().enumerate().all(is_whole) }
}

fn next(Offset(first, second): Offset) -> Option<Offset> {
    match second.checked_add(1) {
        Some(second) => Some(Offset(first, second)),
        None => Some(Offset(first.checked_add(1)?, 0)),
    }
}

impl Store for StreamLog {
    fn set(
        &self,
        values: Vec<(String, Bytes)>,
        lifetime: Duration,
        if_there: bool,
    ) -> AdapterFuture<Vec<bool>> {
        let mut question = Pipeline::new();
        let lifetime = lifetime.as_millis().to_string();
        for (pid, value) in values {
            let command = question.cmd("SET").arg(self.key(&pid)).arg(&value[..]);
            command.arg("PX").arg(&lifetime);
            if if_there {
                command.arg("XX");
            }
        }
        self.ask(question, |answers| {
            let is_set = |answer: Result<Value, RedisError>| Ok(!matches!(answer?, Value::Nil));
            answers.into_iter().map(is_set).collect()
        })
    }

    fn get(&self, pid: &str) -> AdapterFuture<Option<Vec<u8>>> {
        let mut question = Pipeline::new();
        question.cmd("GET").arg(self.key(pid));
        self.ask(question, |mut answers| bytes(answers.pop()))
    }

    // Node: MULTI, GET, DEL, EXEC
    fn take(&self, pid: &str) -> AdapterFuture<Option<Vec<u8>>> {
        let key = self.key(pid);
        let mut question = Pipeline::new();
        question.cmd("MULTI");
        question.cmd("GET").arg(&key);
        question.cmd("DEL").arg(&key);
        question.cmd("EXEC");
        self.ask(question, |mut answers| match answers.pop() {
            Some(Ok(Value::Array(mut done))) => {
                bytes((!done.is_empty()).then(|| Ok(done.swap_remove(0))))
            }
            other => bytes(other),
        })
    }

    fn remove(&self, pids: Vec<String>) -> AdapterFuture<()> {
        let mut question = Pipeline::new();
        for pid in pids {
            question.cmd("DEL").arg(self.key(&pid));
        }
        self.ask(question, |answers| answers.into_iter().try_for_each(|answer| answer.map(drop)))
    }
}

fn bytes(answer: Option<Result<Value, RedisError>>) -> Result<Option<Vec<u8>>, RedisError> {
    match answer {
        Some(Ok(Value::BulkString(bytes))) => Ok(Some(bytes)),
        Some(Err(error)) => Err(error),
        _ => Ok(None),
    }
}

/// How long a client that comes back waits for each answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Entries of a stream that is trimmed by age that a client that comes back may be made to wait for.
const MAX_ENTRIES: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_from_an_offset_on() {
        let info = |first: u64, last: u64, length: u64, added: u64| StreamInfo {
            first: Some(Offset(first, 0)),
            last: Offset(last, 0),
            length,
            added: Some(added),
        };
        let zero = Offset::default();
        let gone = StreamInfo::missing();
        for (looks, offset, is_there, is_complete) in [
            (vec![(true, info(5, 9, 5, 9))], Offset(7, 0), true, true),
            (vec![(false, info(5, 9, 5, 9))], Offset(7, 1), false, true),
            (vec![(false, info(5, 9, 5, 9))], Offset(4, 0), false, false),
            // from the beginning: nothing was there, and nothing is gone
            (vec![(false, info(5, 9, 5, 5))], zero, false, true),
            (vec![(false, info(5, 9, 5, 9))], zero, false, false),
            (vec![(false, gone)], zero, false, true),
            (vec![(false, gone)], Offset(7, 0), false, false),
            // it has begun anew since
            (vec![(false, info(8, 9, 2, 2))], Offset(7, 0), false, false),
            // trimmed to nothing, but nothing came
            (
                vec![(false, StreamInfo { first: None, ..info(5, 9, 0, 9) })],
                Offset(9, 0),
                false,
                true,
            ),
            // several
            (vec![(true, info(5, 9, 5, 9)), (false, gone)], Offset(7, 0), true, true),
            (vec![(true, info(5, 9, 5, 9)), (false, info(8, 9, 2, 2))], Offset(7, 0), true, true),
            (vec![(true, info(5, 9, 5, 9)), (false, info(8, 9, 2, 7))], Offset(7, 0), true, false),
        ] {
            let cover = covered(&looks, offset);
            assert_eq!(cover, Cover { is_there, is_complete }, "{looks:?} {offset}");
        }
    }

    #[test]
    fn the_next_offset() {
        assert_eq!(next(Offset(1, 2)), Some(Offset(1, 3)));
        assert_eq!(next(Offset(1, u64::MAX)), Some(Offset(2, 0)));
        assert_eq!(next(Offset(u64::MAX, u64::MAX)), None);
    }
}
