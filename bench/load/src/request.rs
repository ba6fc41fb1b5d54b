//! What one request of a scenario is on the wire, and what answers it.

use socketio_testkit::Packet;
use socketio_testkit::protocol::{BINARY, TEXT, encode_payload};

use crate::options::{Options, Scenario};

pub(crate) struct Request {
    /// Frames, or the body of a POST.
    pub(crate) bytes: Vec<u8>,
    /// The last packet that answers: the attachment of a binary event, else the event.
    pub(crate) answer: Vec<u8>,
    /// What precedes it.
    pub(crate) answer_head: Option<&'static [u8]>,
}

impl Request {
    pub(crate) fn new(options: &Options) -> Self {
        let text = text(options.size);
        let Some(eio) = options.dialect.eio() else {
            // The floors send to everybody what begins so.
            let text = match options.scenario {
                Scenario::Broadcast => format!("B{}", &text[1..]),
                _ => text,
            };
            let opcode = if options.binary { BINARY } else { TEXT };
            return Self::new_frame(opcode, text.as_bytes(), text.as_bytes());
        };
        let echo = format!(r#"42["echo","{text}"]"#);
        match options.scenario {
            Scenario::Ack => {
                Self::event(&format!(r#"421["ack","{text}"]"#), &format!(r#"431["{text}"]"#))
            }
            Scenario::Broadcast => {
                Self::event(&format!(r#"42["bcast","{text}"]"#), &format!(r#"42["msg","{text}"]"#))
            }
            Scenario::Polling if options.binary => {
                let packets = binary_event(text);
                let answer = packets[1].to_text(eio).into_bytes();
                let bytes = encode_payload(eio, &packets).into_bytes();
                Self { bytes, answer, answer_head: Some(BINARY_ANSWER) }
            }
            Scenario::Polling => {
                let bytes = encode_payload(eio, &[Packet::from(echo.as_str())]).into_bytes();
                Self { bytes, answer: echo.into_bytes(), answer_head: None }
            }
            _ if options.binary => {
                let answer = text.clone().into_bytes();
                let mut bytes = Vec::new();
                for packet in binary_event(text) {
                    packet.write_frame(&mut bytes, eio, MASK);
                }
                Self { bytes, answer, answer_head: Some(BINARY_ANSWER) }
            }
            _ => Self::event(&echo, &echo),
        }
    }

    /// Whether a message is the answer. An event of a server with recovery has an offset behind its
    /// arguments.
    pub(crate) fn is_answer(&self, message: &[u8]) -> bool {
        if message.len() == self.answer.len() {
            return message == self.answer;
        }
        let Some((bracket, event)) = self.answer.split_last() else { return false };
        message
            .strip_prefix(event)
            .and_then(|offset| offset.strip_prefix(b",\""))
            .and_then(|offset| offset.strip_suffix(&[b'"', *bracket]))
            .is_some_and(|offset| offset.len() == OFFSET_LEN)
    }

    fn event(event: &str, answer: &str) -> Self {
        Self::new_frame(TEXT, event.as_bytes(), answer.as_bytes())
    }

    fn new_frame(opcode: u8, payload: &[u8], answer: &[u8]) -> Self {
        Self { bytes: frame(opcode, payload), answer: answer.to_vec(), answer_head: None }
    }
}

/// A whole masked frame.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    socketio_testkit::frame(true, opcode, Some(MASK), payload)
}

fn binary_event(text: String) -> [Packet; 2] {
    [BINARY_EVENT.into(), Packet::Binary(text.into_bytes().into())]
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

/// Any will do: it is there for proxies.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x17, 0x9e];

const BINARY_EVENT: &str = r#"451-["echo",{"_placeholder":true,"num":0}]"#;

/// The placeholder's keys may come in any order.
const BINARY_ANSWER: &[u8] = br#"451-["echo",{"#;

/// The length of an offset of ours.
const OFFSET_LEN: usize = 12;

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
        check("echo -s 4 --binary --protocol eio3", &text);
        check("polling -s 4 --protocol eio3", &format!(r#"42["echo","{text}"]"#));
    }

    #[test]
    fn answers_with_an_offset() {
        let request = Request::event("", r#"42["echo","x"]"#);
        for (message, is_answer) in [
            (r#"42["echo","x"]"#, true),
            (r#"42["echo","y"]"#, false),
            (r#"42["echo","x","0123456789ab"]"#, true),
            (r#"42["echo","y","0123456789ab"]"#, false),
            (r#"42["echo","x","0123456789a"]"#, false),
            (r#"42["echo","x",01234567890123]"#, false),
            ("", false),
        ] {
            assert_eq!(request.is_answer(message.as_bytes()), is_answer, "{message}");
        }
    }
}
