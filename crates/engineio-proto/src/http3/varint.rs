//! The numbers of QUIC: 62 bits in 1, 2, 4 or 8 bytes, of which the first two bits say how many.
// RFC 9000 16

/// The largest number.
pub const MAX: u64 = (1 << 62) - 1;

/// The number at the beginning of bytes, and how many bytes it takes; `None`: not all are there.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<(u64, usize)> {
    let (&first, _) = bytes.split_first()?;
    let length = length(first);
    let bytes = bytes.get(..length)?;
    let mut value = u64::from(first & 0x3f);
    for byte in &bytes[1..] {
        value = value << 8 | u64::from(*byte);
    }
    Some((value, length))
}

/// Writes a number, in as few bytes as it takes.
///
/// # Panics
/// If it is larger than [`MAX`].
pub fn encode(value: u64, out: &mut Vec<u8>) {
    let bytes = value.to_be_bytes();
    match value {
        0..0x40 => out.push(bytes[7]),
        0x40..0x4000 => out.extend_from_slice(&[0x40 | bytes[6], bytes[7]]),
        0x4000..0x4000_0000 => {
            out.extend_from_slice(&[0x80 | bytes[4], bytes[5], bytes[6], bytes[7]]);
        }
        0x4000_0000..=MAX => {
            out.push(0xc0 | bytes[0]);
            out.extend_from_slice(&bytes[1..]);
        }
        _ => panic!("a number of more than 62 bits"),
    }
}

const fn length(first: u8) -> usize {
    1 << (first >> 6)
}

/// A number that may be cut anywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gather {
    bytes: [u8; 8],
    count: u8,
}

impl Gather {
    /// Nothing of a number.
    pub const EMPTY: Self = Self { bytes: [0; 8], count: 0 };

    /// Takes of the input what belongs to the number, and yields it when it is complete; then it is
    /// ready for the next.
    pub fn take(&mut self, input: &mut &[u8]) -> Option<u64> {
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            self.bytes[usize::from(self.count)] = byte;
            self.count += 1;
            if usize::from(self.count) == length(self.bytes[0]) {
                let value = decode(&self.bytes).map(|(value, _)| value);
                *self = Self::default();
                return value;
            }
        }
        None
    }

    /// Whether nothing of a number was taken yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], value: u64, is_shortest: bool) {
        assert_eq!(decode(bytes), Some((value, bytes.len())));
        assert_eq!(decode(&[bytes, &[7]].concat()), Some((value, bytes.len())));
        let mut gather = Gather::default();
        let (last, head) = bytes.split_last().unwrap();
        for (at, byte) in head.iter().enumerate() {
            assert_eq!(decode(&bytes[..at]), None);
            assert_eq!(gather.take(&mut &[*byte][..]), None);
            assert!(!gather.is_empty());
        }
        let mut input = &[*last, 9][..];
        assert_eq!(gather.take(&mut input), Some(value));
        assert_eq!((input, gather.is_empty()), (&[9][..], true));
        let mut out = Vec::new();
        encode(value, &mut out);
        assert_eq!(out == bytes, is_shortest);
    }

    #[test]
    fn numbers() {
        check(&[0], 0, true);
        check(&[0x3f], 63, true);
        check(&[0x40, 0x40], 64, true);
        check(&[0x40, 0x25], 37, false);
        check(&[0x40, 0x41], 0x41, true);
        check(&[0x7f, 0xff], 16_383, true);
        check(&[0x80, 0, 0x40, 0], 16_384, true);
        check(&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333, true);
        check(&[0xbf, 0xff, 0xff, 0xff], 0x3fff_ffff, true);
        check(&[0xc0, 0, 0, 0, 0x40, 0, 0, 0], 0x4000_0000, true);
        check(&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c], 0x0219_7c5e_ff14_e88c, true);
        check(&[0xff; 8], MAX, true);
        assert_eq!(decode(&[]), None);
    }
}
