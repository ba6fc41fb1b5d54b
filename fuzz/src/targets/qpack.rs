//! Header sections of HTTP/3, and what they ask for.

use engineio_proto::http3::qpack::{self, Instructions, Section};
use engineio_proto::http3::request::Head;

use crate::input::Input;
use crate::meter::Meter;

/// A byte says what the rest is: a header section, its end to be measured, or the instructions of an
/// encoder or a decoder.
pub fn qpack(input: &[u8]) {
    let mut input = Input(input);
    let flags = input.byte();
    let bytes = input.0;
    if flags & 1 != 0 {
        return instructions(flags & 2 != 0, bytes);
    }
    let max = 16 * (usize::from(flags) + 1);
    let meter = Meter::start();
    let section = qpack::decode(bytes, max);
    // vectors of fields, which double; each field counts at least 32 bytes of the bound
    meter.check(bytes.len().min(max), 8, 16 * max + 1024);
    let Ok(Section::Fields(fields)) = section else { return };
    let size: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 32).sum();
    assert!(size <= max, "{size} bytes of fields");

    // what is text comes back as it was
    let text: Option<Vec<(&str, &str)>> = fields
        .iter()
        .map(|(name, value)| {
            Some((std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?))
        })
        .collect();
    if let Some(text) = text {
        let again = qpack::decode(&qpack::encode(&text), max);
        assert_eq!(again, Ok(Section::Fields(fields.clone())));
    }

    let count = fields.len();
    let Ok(head) = Head::parse(fields) else { return };
    assert!(!head.method.is_empty() && head.fields.len() < count);
    for (name, value) in &head.fields {
        assert!(!name.iter().any(|byte| byte.is_ascii_uppercase() || *byte <= b' '));
        assert!(!value.contains(&b'\n') && !value.contains(&0), "what would end a line");
    }
    if head.is_webtransport() {
        assert!(head.path.is_some() && head.authority.is_some());
    }
}

/// Instructions say the same in one piece and byte by byte.
fn instructions(is_of_encoder: bool, bytes: &[u8]) {
    let new = if is_of_encoder { Instructions::of_encoder } else { Instructions::of_decoder };
    let meter = Meter::start();
    let whole = new().feed(bytes);
    let mut cut = new();
    assert_eq!(bytes.chunks(1).try_for_each(|byte| cut.feed(byte)), whole);
    meter.check(0, 0, 256);
}
