//! Streams of HTTP/3: numbers, frames, what a stream begins with, and what a session is told. All of
//! it says the same in one piece and in many.

use engineio_proto::http3::capsule::{Capsules, Close, encode_close};
use engineio_proto::http3::connect::Connect;
use engineio_proto::http3::control::Control;
use engineio_proto::http3::frame::{Frames, Kind, Part};
use engineio_proto::http3::opening::{Opened, Opening, Unidirectional};
use engineio_proto::http3::varint::{self, Gather};
use engineio_proto::http3::{Error, settings};

use crate::input::Input;
use crate::meter::Meter;

/// A byte says how long the pieces are and what the rest is: numbers and frames, or the beginning of
/// a bidirectional stream.
pub fn http3(input: &[u8]) {
    let mut input = Input(input);
    let flags = input.byte();
    let piece = usize::from(flags >> 1) + 1;
    if flags & 1 == 0 {
        numbers(input.0);
        let whole = frames(&[input.0]);
        let pieces: Vec<&[u8]> = input.0.chunks(piece).collect();
        assert_eq!(frames(&pieces), whole);
    } else {
        let meter = Meter::start();
        let whole = opening(input.0, usize::MAX);
        // the section, and its fields: each of at least a byte on the wire, and a bound in all
        meter.check(input.0.len().min(MAX_SECTION), 8, 16 * MAX_SECTION + 1024);
        assert_eq!(opening(input.0, piece), whole);
    }
}

/// A byte says how long the pieces are and what the rest is: a control stream, the stream of a
/// CONNECT, or capsules alone.
pub fn http3_control(input: &[u8]) {
    let mut input = Input(input);
    let flags = input.byte();
    let piece = usize::from(flags >> 2) + 1;
    let pieces: Vec<&[u8]> = input.0.chunks(piece).collect();
    let meter = Meter::start();
    match flags & 3 {
        0 => {
            let control = |pieces: &[&[u8]]| {
                let mut control = Control::default();
                let fed = pieces.iter().try_for_each(|piece| control.feed(piece));
                fed.map(|()| control.has_settings())
            };
            assert_eq!(control(&pieces), control(&[input.0]));
        }
        1 => {
            let _ = settings::check(input.0);
        }
        2 => {
            let (mut whole, mut cut) = (Connect::default(), Connect::default());
            let whole = first_end(&[input.0], |piece| whole.feed(piece));
            assert_eq!(first_end(&pieces, |piece| cut.feed(piece)), whole);
        }
        _ => {
            let (mut whole, mut cut) = (Capsules::default(), Capsules::default());
            let whole = first_end(&[input.0], |piece| whole.feed(piece));
            assert_eq!(first_end(&pieces, |piece| cut.feed(piece)), whole);
            if let Ok(Some(close)) = whole {
                there_and_back(&close);
            }
        }
    }
    meter.check(input.0.len(), 64, 64 * 1024);
}

const MAX_SECTION: usize = 1000;

fn numbers(bytes: &[u8]) {
    let mut rest = bytes;
    let mut gather = Gather::default();
    let mut input = bytes;
    while let Some((number, count)) = varint::decode(rest) {
        assert_eq!(gather.take(&mut input), Some(number));
        rest = &rest[count..];
        assert_eq!(input, rest);
        let mut shortest = Vec::new();
        varint::encode(number, &mut shortest);
        assert!(shortest.len() <= count);
        assert_eq!(varint::decode(&shortest), Some((number, shortest.len())));
        let _ = Unidirectional::of_type(number);
    }
    assert_eq!(gather.take(&mut input), None);
    assert_eq!(gather.is_empty(), rest.is_empty());
}

/// Types, lengths, and how much came of each payload.
fn frames(pieces: &[&[u8]]) -> (Vec<(Kind, u64, u64, bool)>, bool) {
    let mut frames = Frames::default();
    let mut all: Vec<(Kind, u64, u64, bool)> = Vec::new();
    for piece in pieces {
        let mut input = *piece;
        while let Some(part) = frames.next(&mut input) {
            match (part, all.last_mut()) {
                (Part::Begin(kind, length), _) => all.push((kind, length, 0, false)),
                (Part::Payload(bytes), Some((.., came, false))) if !bytes.is_empty() => {
                    *came += bytes.len() as u64;
                }
                (Part::End, Some((_, length, came, is_complete))) if length == came => {
                    *is_complete = true;
                }
                (part, _) => panic!("{part:?} out of place"),
            }
        }
        assert!(input.is_empty());
    }
    (all, frames.is_between())
}

fn opening(bytes: &[u8], at_once: usize) -> Result<Option<(Opened, Vec<u8>)>, Error> {
    let mut opening = Opening::new(MAX_SECTION);
    let mut rest = bytes;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(opening.wants().min(at_once).min(rest.len()));
        rest = later;
        if let Some((opened, unused)) = opening.feed(now)? {
            if let Opened::Session(_) = opened {
                assert!(unused.is_empty(), "nothing of a session is read too much");
            }
            return Ok(Some((opened, [unused, rest].concat())));
        }
    }
    Ok(None)
}

fn first_end(
    pieces: &[&[u8]],
    mut feed: impl FnMut(&[u8]) -> Result<Option<Close>, Error>,
) -> Result<Option<Close>, Error> {
    for piece in pieces {
        if let Some(close) = feed(piece)? {
            return Ok(Some(close));
        }
    }
    Ok(None)
}

fn there_and_back(close: &Close) {
    let mut out = Vec::new();
    encode_close(close.code, &close.reason, &mut out);
    assert_eq!(Capsules::default().feed(&out).as_ref(), Ok(&Some(close.clone())));
}
