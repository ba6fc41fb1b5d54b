//! What one request of a scenario is on the wire, and what answers it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::options::{Dialect, Options, Scenario};
use crate::websocket::{BINARY, TEXT, frame};

pub(crate) struct Request {
    /// Frames, or the body of a POST.
    pub(crate) bytes: Vec<u8>,
    /// The last message that answers: the attachment of a binary event, else the event.
    pub(crate) answer: Vec<u8>,
    /// What precedes it.
    pub(crate) answer_head: Option<&'static [u8]>,
}

impl Request {
    pub(crate) fn new(options: &Options) -> Self {
        let text = text(options.size);
        match (options.dialect, options.scenario) {
            (Dialect::Raw, scenario) => {
                // The floors send to everybody what begins so.
                let text = match scenario {
                    Scenario::Broadcast => format!("B{}", &text[1..]),
                    _ => text,
                };
                let opcode = if options.binary { BINARY } else { TEXT };
                Self::new_frame(opcode, text.as_bytes(), text.as_bytes())
            }
            (_, Scenario::Ack) => {
                Self::event(&format!(r#"421["ack","{text}"]"#), &format!(r#"431["{text}"]"#))
            }
            (_, Scenario::Broadcast) => {
                Self::event(&format!(r#"42["bcast","{text}"]"#), &format!(r#"42["msg","{text}"]"#))
            }
            (dialect, Scenario::Polling) => Self::polled(dialect, options.binary, &text),
            (dialect, _) if options.binary => {
                let mut bytes = frame(TEXT, BINARY_EVENT);
                let mut attachment = Vec::new();
                if dialect == Dialect::Eio3 {
                    // Engine.IO v3: the type precedes bytes too
                    attachment.push(4);
                }
                attachment.extend_from_slice(text.as_bytes());
                bytes.extend(frame(BINARY, &attachment));
                Self { bytes, answer: attachment, answer_head: Some(BINARY_ANSWER) }
            }
            _ => {
                let event = format!(r#"42["echo","{text}"]"#);
                Self::event(&event, &event)
            }
        }
    }

    fn polled(dialect: Dialect, binary: bool, text: &str) -> Self {
        let body = if binary {
            let mut body = BINARY_EVENT.to_vec();
            body.extend_from_slice(b"\x1eb");
            body.extend_from_slice(STANDARD.encode(text).as_bytes());
            body
        } else {
            let event = format!(r#"42["echo","{text}"]"#);
            match dialect {
                Dialect::Eio3 => format!("{}:{event}", event.len()).into_bytes(),
                _ => event.into_bytes(),
            }
        };
        Self { answer: body.clone(), bytes: body, answer_head: None }
    }

    fn event(event: &str, answer: &str) -> Self {
        Self::new_frame(TEXT, event.as_bytes(), answer.as_bytes())
    }

    fn new_frame(opcode: u8, payload: &[u8], answer: &[u8]) -> Self {
        Self { bytes: frame(opcode, payload), answer: answer.to_vec(), answer_head: None }
    }
}

/// ASCII without what JSON escapes; always the same.
pub(crate) fn text(size: usize) -> String {
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-.,";
    let mut state = 0x2545_f491_u64;
    let next = || {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(ALPHABET[(state % ALPHABET.len() as u64) as usize])
    };
    std::iter::repeat_with(next).take(size).collect()
}

const BINARY_EVENT: &[u8] = br#"451-["echo",{"_placeholder":true,"num":0}]"#;

/// The placeholder's keys may come in any order.
const BINARY_ANSWER: &[u8] = br#"451-["echo",{"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let options = Options::parse(line.split(' ').map(str::to_owned)).unwrap();
        let request = Request::new(&options);
        assert_eq!(String::from_utf8_lossy(&request.answer), expected);
    }

    #[test]
    fn answers() {
        let text = text(4);
        check("echo -s 4", &format!(r#"42["echo","{text}"]"#));
        check("ack -s 4", &format!(r#"431["{text}"]"#));
        check("broadcast -s 4", &format!(r#"42["msg","{text}"]"#));
        check("broadcast -s 4 --protocol raw", &format!("B{}", &text[1..]));
        check("echo -s 4 --binary", &text);
        check("echo -s 4 --binary --protocol eio3", &format!("\u{4}{text}"));
        check("polling -s 4 --protocol eio3", &format!(r#"17:42["echo","{text}"]"#));
    }
}
