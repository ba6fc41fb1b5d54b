//! HTTP/1.1 as the scenarios need it.

use std::borrow::Cow;

use memchr::memmem::find;

/// An answer, and how many bytes it took.
pub(crate) struct Answer<'a> {
    pub(crate) is_ok: bool,
    pub(crate) body: Cow<'a, [u8]>,
    pub(crate) length: usize,
}

/// The answer that `bytes` begin with, if all of it is there.
pub(crate) fn answer(bytes: &[u8]) -> Option<Answer<'_>> {
    let start = find(bytes, b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..start]).to_ascii_lowercase();
    let is_ok = head.starts_with("http/1.1 200");
    if let Some((_, rest)) = head.split_once("\r\ncontent-length:") {
        let length: usize = rest.lines().next()?.trim().parse().ok()?;
        let body = bytes.get(start..start + length)?;
        return Some(Answer { is_ok, body: body.into(), length: start + length });
    }
    if !head.contains("\r\ntransfer-encoding: chunked") {
        return Some(Answer { is_ok, body: Cow::default(), length: start });
    }
    let mut body = Vec::new();
    let mut at = start;
    loop {
        let line = find(&bytes[at..], b"\r\n")?;
        let size = std::str::from_utf8(&bytes[at..at + line]).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        at += line + 2;
        let chunk = bytes.get(at..at + size + 2)?;
        body.extend_from_slice(&chunk[..size]);
        at += size + 2;
        if size == 0 {
            return Some(Answer { is_ok, body: body.into(), length: at });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &str, expected: Option<(bool, &str, usize)>) {
        let answer = answer(bytes.as_bytes());
        let found = answer
            .as_ref()
            .map(|found| (found.is_ok, std::str::from_utf8(&found.body).unwrap(), found.length));
        assert_eq!(found, expected);
    }

    #[test]
    fn answers() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok+", Some((true, "ok", 40)));
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", None);
        check("HTTP/1.1 400 Bad Request\r\n\r\n", Some((false, "", 28)));
        check("HTTP/1.1 200 OK\r\nContent-", None);
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
        check(chunked, Some((true, "ok", chunked.len())));
        check(&chunked[..chunked.len() - 1], None);
    }
}
