//! JSONP: a form that was submitted, and the script of an answer.

use engineio_proto::payload::{Decoder, Form, jsonp as wrapping};

use crate::input::Input;
use crate::meter::Meter;

/// A submitted form; or (first byte odd) a callback's name up to a zero, and a payload.
pub fn jsonp(input: &[u8]) {
    let mut input = Input(input);
    if input.byte() & 1 == 0 {
        submitted(input.0);
        return;
    }
    let callback = String::from_utf8_lossy(input.until(0));
    let Ok(payload) = std::str::from_utf8(input.0) else { return };
    answered(&callback, payload);
    if !payload.contains("\\\n") {
        there_and_back(payload);
    }
}

fn submitted(form: &[u8]) {
    let meter = Meter::start();
    let payload = wrapping::unwrap(form);
    // each of three copies may be of replacement characters, in a text that has grown
    meter.check(form.len(), 24, 256);
    let Some(payload) = payload else { return };
    let mut decoder = Decoder::new(Form::V3Text, payload.into(), usize::MAX);
    while decoder.next().is_some() {}
}

/// The script calls the function of that number with the payload, and does nothing else.
fn answered(callback: &str, payload: &str) {
    let mut script = Vec::new();
    wrapping::wrap(callback, payload.as_bytes(), &mut script);
    let script = String::from_utf8(script).expect("a script is text");
    let call = script.strip_prefix("___eio[").expect("an element of the client's array");
    let (number, call) = call.split_once("](").expect("a call");
    assert!(number.bytes().all(|byte| byte.is_ascii_digit()), "{number:?} is no number");
    let literal = call.strip_suffix(");").expect("one call");
    assert!(!literal.contains(['\n', '\r', '\u{2028}', '\u{2029}']), "more than one line");
    let text: String = serde_json::from_str(literal).expect("one string");
    assert_eq!(text, payload);
}

/// What a client submits is what it meant. A backslash in front of a newline has no form of its
/// own in this protocol.
fn there_and_back(payload: &str) {
    let escaped = payload.replace("\\n", "\\\\n").replace('\n', "\\n");
    let mut form = String::from("d=");
    for byte in escaped.bytes() {
        match byte {
            b' ' => form.push('+'),
            byte if byte.is_ascii_alphanumeric() => form.push(byte.into()),
            byte => form.push_str(&format!("%{byte:02X}")),
        }
    }
    assert_eq!(wrapping::unwrap(form.as_bytes()).as_deref(), Some(payload));
}
