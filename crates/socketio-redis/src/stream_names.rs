//! Which streams there are, and which of them has the messages of a namespace.
//!
//! ```text
//!   one stream     S                       all namespaces
//!   n of them      S-0 .. S-(n-1)          a namespace each by the hash of its name
//!                  S--1 .. S--(n-1)        what Node servers put where no other Node server looks
//!                  S                       what the emitter of Node puts there
//! ```
//!
//! All are read; written is what Node servers read.

/// The streams of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct StreamNames {
    name: String,
    count: usize,
}

impl StreamNames {
    pub(crate) const fn new(name: String, count: usize) -> Self {
        Self { name, count }
    }

    /// All that are read. The number of each is its place.
    pub(crate) fn all(&self) -> Vec<String> {
        let Self { name, count } = self;
        if *count == 1 {
            return vec![name.clone()];
        }
        let written = (0..*count).map(|n| format!("{name}-{n}"));
        let plain = std::iter::once(name.clone());
        written.chain(plain).chain((1..*count).map(|n| format!("{name}--{n}"))).collect()
    }

    /// The number of the stream that a namespace's messages are put into.
    pub(crate) fn of(&self, namespace: &str) -> usize {
        if self.count == 1 { 0 } else { hash(namespace).rem_euclid(self.count as i64) as usize }
    }

    /// The numbers of those that may have messages of a namespace, that one first.
    pub(crate) fn may_have(&self, namespace: &str) -> Vec<usize> {
        if self.count == 1 {
            return vec![0];
        }
        let mut numbers = vec![self.of(namespace), self.count];
        // Node: the remainder of a negative number is negative
        let remainder = hash(namespace) % self.count as i64;
        if remainder < 0 {
            numbers.push(self.count + remainder.unsigned_abs() as usize);
        }
        numbers
    }
}

// Node: hashCode of @socket.io/redis-streams-adapter 0.3.1
fn hash(namespace: &str) -> i64 {
    let step = |hash: i32, unit: u16| hash.wrapping_mul(31).wrapping_add(i32::from(unit));
    namespace.encode_utf16().fold(0, step).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hash_as_those_of_node() {
        for (name, expected) in
            [("", 0), ("/", 47), ("/chat", 46_457_863), ("/notifications", -1_014_064_871)]
        {
            assert_eq!(hash(name), expected, "{name}");
        }
    }

    #[test]
    fn each_namespace_has_a_stream_that_node_reads() {
        let one = StreamNames::new("s".to_owned(), 1);
        assert_eq!(one.all(), ["s"]);
        assert_eq!((one.of("/notifications"), one.may_have("/notifications")), (0, vec![0]));
        let four = StreamNames::new("s".to_owned(), 4);
        let all = four.all();
        assert_eq!(all, ["s-0", "s-1", "s-2", "s-3", "s", "s--1", "s--2", "s--3"]);
        let named = |numbers: Vec<usize>| -> Vec<&str> {
            numbers.into_iter().map(|number| all[number].as_str()).collect()
        };
        assert_eq!(named(four.may_have("/")), ["s-3", "s"]);
        assert_eq!(named(four.may_have("/notifications")), ["s-1", "s", "s--3"]);
        for n in 0..1_000 {
            assert!(four.of(&format!("/room-{n}")) < 4);
        }
    }
}
