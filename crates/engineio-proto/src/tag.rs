//! The tag of a node: the first four characters of the ids of its sessions, by which every other node
//! knows whose they are. It is a name and no address: what it stands for is looked up.

use std::fmt;
use std::str::FromStr;

/// Four characters of URL-safe base64, 24 bits: the name of a node as session ids carry it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeTag([u8; Self::LEN]);

/// A text that is no tag: not four characters of URL-safe base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct NotATag;

impl NodeTag {
    /// Characters of a tag.
    pub const LEN: usize = 4;

    /// Characters of a session's id, the tag among them.
    pub const ID_LEN: usize = 20;

    /// The tag of a node with this name: the name itself, if it is a tag, else a hash of it (FNV-1a of
    /// 64 bits, folded to 24). The same on all machines, so that load balancers can be told.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        if let Ok(tag) = name.parse() {
            return tag;
        }
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        let folded = hash ^ (hash >> 24) ^ (hash >> 48);
        let [a, b, c, ..] = folded.to_le_bytes();
        Self::of_bits([a, b, c])
    }

    /// The tag of 24 bits.
    #[must_use]
    pub fn of_bits([a, b, c]: [u8; 3]) -> Self {
        let digit = |bits: u8| ALPHABET[usize::from(bits & 63)];
        Self([digit(a >> 2), digit((a << 4) | (b >> 4)), digit((b << 2) | (c >> 6)), digit(c)])
    }

    /// The tag that a session's id begins with, if the id has the form of one that a node made.
    #[must_use]
    pub fn of_id(id: &str) -> Option<Self> {
        let is_one = id.len() == Self::ID_LEN && id.bytes().all(is_digit);
        is_one.then(|| id.get(..Self::LEN)?.parse().ok()).flatten()
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("characters of base64 are ASCII")
    }
}

impl FromStr for NodeTag {
    type Err = NotATag;

    fn from_str(text: &str) -> Result<Self, NotATag> {
        let tag: [u8; Self::LEN] = text.as_bytes().try_into().map_err(|_| NotATag)?;
        if tag.iter().copied().all(is_digit) { Ok(Self(tag)) } else { Err(NotATag) }
    }
}

impl fmt::Display for NodeTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for NodeTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeTag({})", self.as_str())
    }
}

impl fmt::Display for NotATag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tag of a node is four characters of URL-safe base64")
    }
}

impl std::error::Error for NotATag {}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

// RFC 4648 5
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_give_tags() {
        for (name, tag) in [("nodA", "nodA"), ("a-_9", "a-_9"), ("chat-0", "G0oC"), ("", "Uwy-")] {
            let of_name = NodeTag::of_name(name);
            assert_eq!(of_name.as_str().len(), NodeTag::LEN);
            assert_eq!(NodeTag::of_name(name), of_name);
            assert_eq!(of_name.as_str(), tag, "{name:?}");
        }
        assert_ne!(NodeTag::of_name("chat-0"), NodeTag::of_name("chat-1"));
    }

    #[test]
    fn bits_give_tags() {
        for (bits, tag) in [([0, 0, 0], "AAAA"), ([255, 255, 255], "____"), ([1, 2, 3], "AQID")] {
            assert_eq!(NodeTag::of_bits(bits).as_str(), tag);
        }
    }

    #[test]
    fn ids_that_no_node_made_have_none() {
        let tag = |id| NodeTag::of_id(id).map(|tag| tag.to_string());
        assert_eq!(tag("nodAxxxxxxxxxxxxxxxx").as_deref(), Some("nodA"));
        for id in
            ["", "nodA", "nodAxxxxxxxxxxxxxxx", "nodAxxxxxxxxxxxxxxxxx", "nodAxxxxxxxxxxxxxxx!"]
        {
            assert_eq!(tag(id), None, "{id:?}");
        }
        assert_eq!(tag("\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}xx"), None);
    }
}
