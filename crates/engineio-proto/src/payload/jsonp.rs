//! The wrapping of polling payloads for clients that can only load scripts.
//!
//! The answer of a poll is a script that calls the client's function with the payload as a string;
//! a POST is a submitted form with the payload in field `d`. The payloads inside are the text forms
//! of [`super`]; this module knows only text.

use std::borrow::Cow;

use crate::handshake::pairs;

/// Appends the script that hands `payload`, which must be text, to the client's callback.
///
/// Of `callback` only ASCII digits are used: nothing else from a request may get into a script.
// Node: JSONP
pub fn wrap(callback: &str, payload: &[u8], out: &mut Vec<u8>) {
    debug_assert!(std::str::from_utf8(payload).is_ok(), "JSONP carries text only");
    out.extend_from_slice(b"___eio[");
    out.extend(callback.bytes().filter(u8::is_ascii_digit));
    out.extend_from_slice(b"](\"");
    let mut rest = payload;
    while let Some(at) = rest.iter().position(|&byte| may_need_escape(byte)) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        rest = write_escaped(special, out);
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(b"\");");
}

/// The payload in a submitted form; `None` if the form has no field `d`.
// Node: JSONP, POST
#[must_use]
pub fn unwrap(form: &[u8]) -> Option<String> {
    let form = String::from_utf8_lossy(form);
    let (_, field) = pairs(&form).filter(|(key, _)| key == "d").last()?;
    Some(restore_newlines(field))
}

/// Browsers change newlines in form fields, so clients write a newline as `\n` (two characters)
/// and, to tell them apart, those two characters as `\\n`. No other backslash is special.
fn restore_newlines(text: Cow<'_, str>) -> String {
    if !text.contains("\\n") {
        return text.into_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(at) = rest.find("\\n") {
        // the backslash in front of the two characters, if there is one, is the escape
        match rest[..at].strip_suffix('\\') {
            Some(plain) => {
                out.push_str(plain);
                out.push_str("\\n");
            }
            None => {
                out.push_str(&rest[..at]);
                out.push('\n');
            }
        }
        rest = &rest[at + 2..];
    }
    out.push_str(rest);
    out
}

/// `0xe2` is the first byte of U+2028 and U+2029, which once ended a line of JavaScript.
const fn may_need_escape(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\' | 0xe2)
}

/// Writes the first character (or byte) of `text`, escaped if it must be; returns what follows.
fn write_escaped<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    if let [0xe2, 0x80, last @ (0xa8 | 0xa9), rest @ ..] = text {
        out.extend_from_slice(if *last == 0xa8 { b"\\u2028" } else { b"\\u2029" });
        return rest;
    }
    let Some((&byte, rest)) = text.split_first() else { return text };
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0..0x20 => {
            let digit = |number: u8| b"0123456789abcdef"[usize::from(number & 0xf)];
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[digit(byte >> 4), digit(byte)]);
        }
        _ => out.push(byte),
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn script(callback: &str, payload: &str, expected: &str) {
        let mut out = Vec::new();
        wrap(callback, payload.as_bytes(), &mut out);
        assert_eq!(String::from_utf8(out).as_deref(), Ok(expected));
    }

    #[test]
    fn scripts() {
        script("0", "6:4hello", r#"___eio[0]("6:4hello");"#);
        script("", "", r#"___eio[]("");"#);
        script("alert(1)3//", "6", r#"___eio[13]("6");"#);
        script("7", r#"42["a\n"]"#, r#"___eio[7]("42[\"a\\n\"]");"#);
        script("7", "\n\r\t\u{0}\u{1e}\u{1f}", r#"___eio[7]("\n\r\t\u0000\u001e\u001f");"#);
        script("7", "a\u{2028}b\u{2029}", r#"___eio[7]("a\u2028b\u2029");"#);
        script(
            "7",
            "\u{2027}\u{202a}€é😀</script>",
            "___eio[7](\"\u{2027}\u{202a}€é😀</script>\");",
        );
    }

    #[track_caller]
    fn form(body: &[u8], expected: Option<&str>) {
        assert_eq!(unwrap(body).as_deref(), expected, "{}", body.escape_ascii());
    }

    #[test]
    fn forms() {
        form(b"d=6%3A4hello", Some("6:4hello"));
        form(b"d=a+b%2Bc", Some("a b+c"));
        form(b"x=1&d=2%3A42&y", Some("2:42"));
        form(b"d=1&d=2", Some("2")); // the last one wins, as in a query
        form(b"d=", Some(""));
        form(b"d", Some(""));
        form(b"", None);
        form(b"D=1", None);
        form(b"d=%C3%A9", Some("é"));
        form(b"d=%C3", Some("\u{fffd}"));
        form(b"d=\xff", Some("\u{fffd}"));
        form(b"d=%zz%4", Some("%zz%4"));
    }

    #[test]
    fn newlines_in_forms() {
        form(br"d=a\nb", Some("a\nb"));
        form(br"d=a\\nb", Some(r"a\nb"));
        form(br"d=a\\\nb", Some(r"a\\nb")); // one backslash, then as above
        form(br"d=\n\n\\n\n", Some("\n\n\\n\n"));
        form(br"d=%5Cn%5C%5Cn", Some("\n\\n"));
        form(br"d=\t\\\", Some(r"\t\\\")); // nothing else is special
    }
}
