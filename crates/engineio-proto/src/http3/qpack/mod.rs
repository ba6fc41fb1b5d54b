//! QPACK without a dynamic table: header sections stand by themselves, and may be decoded in any
//! order.
//!
//! ```text
//!   | 0, 0 | field line | field line | ...
//!            1 1 index of 6 bits             a pair of the static table
//!            0 1 N 1 index of 4 bits, value  a name of the static table
//!            0 0 1 N H name of 3 bits, value both as text
//! ```
// RFC 9204 4.5

use super::{Code, Error};

mod huffman;
mod static_table;

pub use static_table::{STATIC, STATIC_LENGTH};

/// A field: its name and its value.
pub type Field = (Vec<u8>, Vec<u8>);

/// What a field counts beside its name and value.
// RFC 9114 4.2.2
const OVERHEAD: usize = 32;

const FAILED: Error = Error::Connection(Code::QPACK_DECOMPRESSION_FAILED);

/// A header section, or that it has more than is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "complete")]
pub enum Section {
    /// Its fields, in their order.
    Fields(Vec<Field>),
    /// Its fields are larger than allowed.
    TooLarge,
}

/// Decodes a header section of which the fields may be so large, by the measure of RFC 9114 4.2.2.
///
/// # Errors
/// [`Code::QPACK_DECOMPRESSION_FAILED`] for the connection, also for what refers to a dynamic table.
pub fn decode(block: &[u8], max: usize) -> Result<Section, Error> {
    let mut input = block;
    let (required, _) = integer(&mut input, 8)?;
    let _base = integer(&mut input, 7)?;
    if required != 0 {
        return Err(FAILED);
    }
    let mut fields = Vec::new();
    let mut left = max;
    while let Some(&first) = input.first() {
        let (name, value) = match first {
            0b1100_0000.. => {
                let (name, value) = entry(integer(&mut input, 6)?.0)?;
                (name.as_bytes().to_vec(), value.as_bytes().to_vec())
            }
            0b0101_0000..=0b0101_1111 | 0b0111_0000..=0b0111_1111 => {
                let (name, _) = entry(integer(&mut input, 4)?.0)?;
                (name.as_bytes().to_vec(), text(&mut input, 7, left)?)
            }
            0b0010_0000..=0b0011_1111 => (text(&mut input, 3, left)?, text(&mut input, 7, left)?),
            // what refers to a table that has no entries
            _ => return Err(FAILED),
        };
        match left.checked_sub(name.len() + value.len() + OVERHEAD) {
            Some(rest) => left = rest,
            None => return Ok(Section::TooLarge),
        }
        fields.push((name, value));
    }
    Ok(Section::Fields(fields))
}

/// Writes a header section: what the table has of a field by its number, the rest as text.
#[must_use]
pub fn encode(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = vec![0, 0];
    for (name, value) in fields {
        let pair = STATIC.iter().position(|entry| entry == &(*name, *value));
        let named = STATIC.iter().position(|(other, _)| other == name);
        match (pair, named) {
            (Some(index), _) => write_integer(0b1100_0000, 6, index as u64, &mut out),
            (None, Some(index)) => {
                write_integer(0b0101_0000, 4, index as u64, &mut out);
                write_text(0, 7, value, &mut out);
            }
            (None, None) => {
                write_text(0b0010_0000, 3, name, &mut out);
                write_text(0, 7, value, &mut out);
            }
        }
    }
    out
}

fn entry(index: u64) -> Result<(&'static str, &'static str), Error> {
    usize::try_from(index).ok().and_then(|index| STATIC.get(index)).copied().ok_or(FAILED)
}

/// A number behind some bits of others, and these bits.
// RFC 7541 5.1
fn integer(input: &mut &[u8], bits: u32) -> Result<(u64, u8), Error> {
    let (number, flags, rest) = match cut_integer(input, bits) {
        Integer::Complete(number, flags, rest) => (number, flags, rest),
        Integer::Cut | Integer::TooLarge => return Err(FAILED),
    };
    *input = rest;
    Ok((number, flags))
}

enum Integer<'b> {
    Complete(u64, u8, &'b [u8]),
    Cut,
    TooLarge,
}

fn cut_integer(input: &[u8], bits: u32) -> Integer<'_> {
    let Some((&first, mut rest)) = input.split_first() else { return Integer::Cut };
    let mask = u8::MAX >> (8 - bits);
    let flags = first & !mask;
    let mut number = u64::from(first & mask);
    if first & mask < mask {
        return Integer::Complete(number, flags, rest);
    }
    for shift in (0..56).step_by(7) {
        let Some((&byte, behind)) = rest.split_first() else { return Integer::Cut };
        rest = behind;
        number += u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Integer::Complete(number, flags, rest);
        }
    }
    // more than 56 bits
    Integer::TooLarge
}

fn write_integer(flags: u8, bits: u32, number: u64, out: &mut Vec<u8>) {
    let mask = u8::MAX >> (8 - bits);
    let Some(mut rest) = number.checked_sub(mask.into()) else {
        return out.push(flags | number as u8);
    };
    out.push(flags | mask);
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// A text, whose length stands behind a bit that says whether it is in Huffman's code. It is not
/// longer than `max`, and one byte that says so.
fn text(input: &mut &[u8], bits: u32, max: usize) -> Result<Vec<u8>, Error> {
    let is_huffman = input.first().is_some_and(|first| first >> bits & 1 != 0);
    let (length, _) = integer(input, bits)?;
    let (text, rest) =
        usize::try_from(length).ok().and_then(|l| input.split_at_checked(l)).ok_or(FAILED)?;
    *input = rest;
    match is_huffman {
        true => huffman::decode(text, max).ok_or(FAILED),
        false => Ok(text[..text.len().min(max.saturating_add(1))].to_vec()),
    }
}

fn write_text(flags: u8, bits: u32, text: &str, out: &mut Vec<u8>) {
    write_integer(flags, bits, text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

/// Instructions of a client's QPACK streams: there is nothing to say on them but what changes
/// nothing. One that is cut is kept, which takes a few bytes.
#[derive(Debug)]
pub struct Instructions {
    is_of_encoder: bool,
    cut: Vec<u8>,
}

impl Instructions {
    /// Those of a client's encoder, which may set the capacity of its table: to none.
    #[must_use]
    pub const fn of_encoder() -> Self {
        Self { is_of_encoder: true, cut: Vec::new() }
    }

    /// Those of a client's decoder, which may give up a stream.
    #[must_use]
    pub const fn of_decoder() -> Self {
        Self { is_of_encoder: false, cut: Vec::new() }
    }

    /// Takes what was read.
    ///
    /// # Errors
    /// An instruction for a table that has no room, or a receipt for what was not sent.
    // RFC 9204 4.3, 4.4
    pub fn feed(&mut self, input: &[u8]) -> Result<(), Error> {
        let wrong = Error::Connection(match self.is_of_encoder {
            true => Code::QPACK_ENCODER_STREAM_ERROR,
            false => Code::QPACK_DECODER_STREAM_ERROR,
        });
        for byte in input {
            self.cut.push(*byte);
            // set the capacity (001), or cancel a stream (01)
            let (bits, mark) = if self.is_of_encoder { (5, 0b001) } else { (6, 0b01) };
            if self.cut[0] >> bits != mark {
                return Err(wrong);
            }
            match cut_integer(&self.cut, bits) {
                Integer::Cut => {}
                Integer::Complete(number, ..) if number == 0 || !self.is_of_encoder => {
                    self.cut.clear();
                }
                Integer::Complete(..) | Integer::TooLarge => return Err(wrong),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(fields: &[(&str, &str)]) -> Section {
        let owned =
            |(name, value): &(&str, &str)| (name.as_bytes().into(), value.as_bytes().into());
        Section::Fields(fields.iter().map(owned).collect())
    }

    #[track_caller]
    fn check(block: &[u8], expected: &[(&str, &str)]) {
        assert_eq!(decode(block, 16_384), Ok(fields(expected)));
    }

    #[test]
    fn header_sections() {
        check(b"\0\0", &[]);
        // RFC 9204 B.1
        check(b"\x00\x00\x51\x0b/index.html", &[(":path", "/index.html")]);
        check(b"\0\0\xcf\xd7", &[(":method", "CONNECT"), (":scheme", "https")]);
        // the last entry, whose number takes two bytes
        check(b"\0\0\xff\x23", &[("x-frame-options", "sameorigin")]);
        // never to be indexed
        check(b"\0\0\x71\x01/", &[(":path", "/")]);
        // a name as text, of seven bytes or more
        check(b"\0\0\x22ab\x01c", &[("ab", "c")]);
        check(b"\0\0\x27\x02:protocol\x00", &[(":protocol", "")]);
        // Huffman: RFC 7541 C.4.1
        check(
            b"\0\0\x50\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
            &[(":authority", "www.example.com")],
        );
        check(
            b"\0\0\x2f\x01\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf",
            &[("custom-key", "custom-value")],
        );
    }

    #[test]
    fn what_fails() {
        for block in [
            &b""[..],
            b"\0",
            // counts on entries
            b"\x01\0\x80",
            b"\0\0\x80",
            b"\0\0\x10",
            b"\0\0\x40\x00",
            b"\0\0\x00\x00",
            // beyond the static table
            b"\0\0\xff\x24",
            b"\0\0\x5f\x54\x00",
            // cut
            b"\0\0\xff",
            b"\0\0\x51",
            b"\0\0\x51\x0b/index",
            b"\0\0\x23a",
            // a number of more than 56 bits
            b"\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\0\0\x51\x7f\xff\xff\xff\xff\xff\xff\xff\x7f",
            // padding of zeros, of a whole byte, and the end as a symbol
            b"\0\0\x51\x81\x00",
            b"\0\0\x51\x82\x1f\xff",
            b"\0\0\x51\x84\xff\xff\xff\xff",
        ] {
            assert_eq!(decode(block, 16_384), Err(FAILED), "{block:?}");
        }
    }

    #[test]
    fn sections_are_bounded_as_they_are_decoded() {
        let block = encode(&[("a", "b"), ("c", &"d".repeat(65))]);
        assert_eq!(decode(&block, 34 + 98), Ok(fields(&[("a", "b"), ("c", &"d".repeat(65))])));
        assert_eq!(decode(&block, 34 + 97), Ok(Section::TooLarge));
        assert_eq!(decode(&block, 0), Ok(Section::TooLarge));
        // many fields of one byte each
        let block = [&b"\0\0"[..], &[0xd1; 1000]].concat();
        assert_eq!(decode(&block, 16_384), Ok(Section::TooLarge));
    }

    #[test]
    fn what_is_encoded() {
        assert_eq!(encode(&[(":status", "200")]), b"\0\0\xd9");
        assert_eq!(encode(&[(":status", "429")]), b"\0\0\x5f\x09\x03429");
        assert_eq!(encode(&[(":status", "431")]), b"\0\0\x5f\x09\x03431");
        let section =
            [(":status", "403"), ("sec-webtransport-http3-draft", "draft02"), ("age", "7")];
        assert_eq!(decode(&encode(&section), 1000), Ok(fields(&section)));
        for (index, entry) in STATIC.iter().enumerate() {
            let first = STATIC.iter().position(|other| other == entry).unwrap();
            assert_eq!(first, index, "no pair twice");
            assert_eq!(decode(&encode(&[*entry]), 1000), Ok(fields(&[*entry])));
        }
    }

    #[test]
    fn instructions() {
        let of_encoder = Err(Error::Connection(Code::QPACK_ENCODER_STREAM_ERROR));
        let of_decoder = Err(Error::Connection(Code::QPACK_DECODER_STREAM_ERROR));
        for (input, encoder, decoder) in [
            (&b""[..], Ok(()), Ok(())),
            (b"\x20\x20", Ok(()), of_decoder),
            (b"\x3f\x01", of_encoder, of_decoder),
            (b"\x21", of_encoder, of_decoder),
            // an insertion, which is a receipt on the other stream
            (b"\xc0\x01a", of_encoder, of_decoder),
            (b"\x40\x01a", of_encoder, of_decoder),
            (b"\x44\x7f\x80\x01", of_encoder, Ok(())),
            (b"\x01", of_encoder, of_decoder),
            (b"\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff", of_encoder, of_decoder),
        ] {
            let feed = |mut instructions: Instructions| {
                let whole = instructions.feed(input);
                assert!(instructions.cut.len() < 12);
                whole
            };
            assert_eq!(feed(Instructions::of_encoder()), encoder, "{input:?}");
            assert_eq!(feed(Instructions::of_decoder()), decoder, "{input:?}");
        }
    }
}
