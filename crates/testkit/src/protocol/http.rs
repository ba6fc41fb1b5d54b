//! HTTP/1.1 as a client needs it: requests are written, responses are found in what has arrived.

use std::borrow::Cow;

use super::Violation;

/// A response as it stands in a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse<'a> {
    /// The status code.
    pub status: u16,
    /// The headers, each with its line end.
    headers: &'a str,
    /// The body, freed from chunks.
    pub body: Cow<'a, [u8]>,
    /// How many bytes of the buffer it takes.
    pub size: usize,
}

/// Whether a response has a body. Complete: there are no other requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyRule {
    /// As its headers say.
    ByHeaders,
    /// The response to HEAD has the headers of a body, but no body.
    Absent,
}

impl<'a> HttpResponse<'a> {
    /// The response that `bytes` begin with; none until all of it is there.
    ///
    /// A body of unknown length is complete when the server has ended the connection, as `has_ended`
    /// says.
    ///
    /// # Errors
    ///
    /// If it is no response of HTTP/1.1.
    pub fn parse(
        bytes: &'a [u8],
        rule: BodyRule,
        has_ended: bool,
    ) -> Result<Option<Self>, Violation> {
        let Some(head_size) = head_size(bytes) else { return Ok(None) };
        let (head, rest) = bytes.split_at(head_size);
        let wrong = || {
            Violation::new(format!("not an HTTP/1.1 response: {:?}", String::from_utf8_lossy(head)))
        };
        let head = std::str::from_utf8(head).map_err(|_| wrong())?;
        let (line, headers) = head.split_once("\r\n").ok_or_else(wrong)?;
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|line| line.get(..3)?.parse().ok());
        let status: u16 = status.ok_or_else(wrong)?;
        let headers = &headers[..headers.len() - 2];
        let (mut length, mut is_chunked) = (None, false);
        for line in lines(headers) {
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| Violation::new(format!("bad header {line:?}")))?;
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim());
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                is_chunked |= value.trim().eq_ignore_ascii_case("chunked");
            }
        }
        // RFC 9112 6.3
        let body = if rule == BodyRule::Absent || matches!(status, 100..=199 | 204 | 304) {
            Some((Cow::default(), 0))
        } else if is_chunked {
            dechunk(rest)?.map(|(body, size)| (Cow::Owned(body), size))
        } else if let Some(length) = length {
            let length = length
                .parse()
                .map_err(|_| Violation::new(format!("bad Content-Length {length:?}")))?;
            rest.get(..length).map(|body| (Cow::Borrowed(body), length))
        } else {
            has_ended.then_some((Cow::Borrowed(rest), rest.len()))
        };
        let Some((body, body_size)) = body else { return Ok(None) };
        Ok(Some(Self { status, headers, body, size: head_size + body_size }))
    }

    /// The first header of that name, in any spelling.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All headers in the order and spelling of the server.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let headers = lines(self.headers).filter_map(|line| line.split_once(':'));
        headers.map(|(name, value)| (name, value.trim()))
    }
}

fn lines(headers: &str) -> impl Iterator<Item = &str> {
    headers.split_terminator("\r\n")
}

/// The bytes up to the empty line, with it.
fn head_size(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = bytes[at..].iter().position(|&byte| byte == b'\n')?;
        at += line + 1;
        if bytes[at..].starts_with(b"\r\n") {
            return Some(at + 2);
        }
    }
}

/// The content of a chunked body and its size on the wire, or none while it is incomplete.
fn dechunk(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Violation> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let line = bytes[at..].windows(2).position(|two| two == b"\r\n");
        let Some(line) = line else { return Ok(None) };
        let size = String::from_utf8_lossy(&bytes[at..at + line]);
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)
            .map_err(|_| Violation::new(format!("bad chunk size {size:?}")))?;
        at += line + 2;
        let Some(chunk) = bytes.get(at..).and_then(|rest| rest.get(..size.saturating_add(2)))
        else {
            return Ok(None);
        };
        if &chunk[size..] != b"\r\n" {
            return Err(Violation::new("a chunk, or the trailer, does not end where it should"));
        }
        body.extend_from_slice(&chunk[..size]);
        at += size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

/// Appends a request to `out`. The headers are written as they are, and no other ones.
pub fn write_request<'a>(
    out: &mut Vec<u8>,
    method: &str,
    target: &str,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    body: &[u8],
) {
    for part in [method, " ", target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    for (name, value) in headers {
        for part in [name, ": ", value, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &str, expected: Result<Option<(u16, &str, usize)>, ()>) {
        let found = HttpResponse::parse(bytes.as_bytes(), BodyRule::ByHeaders, false);
        let found = found.as_ref().map_err(|_| ()).map(|found| {
            let found = found.as_ref()?;
            Some((found.status, std::str::from_utf8(&found.body).unwrap(), found.size))
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn responses() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok+", Ok(Some((200, "ok", 40))));
        check("HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\no", Ok(None));
        check("HTTP/1.1 204 No Content\r\n\r\nx", Ok(Some((204, "", 27))));
        check("HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\nx", Ok(Some((101, "", 42))));
        check("HTTP/1.1 200 OK\r\nContent-", Ok(None));
        check("HTTP/1.1 200 OK\r\n\r", Ok(None));
        // of unknown length, and the server has not ended
        check("HTTP/1.1 200 OK\r\n\r\nx", Ok(None));
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
        check(chunked, Ok(Some((200, "ok", chunked.len()))));
        check(&chunked[..chunked.len() - 1], Ok(None));
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay", Err(()));
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", Err(()));
        check("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", Err(()));
        check("HTTP/1.1 200 OK\r\nno header\r\n\r\n", Err(()));
        check("HTTP/1.0 200 OK\r\n\r\n", Err(()));
        check("HTTP/1.1 2\r\n\r\n", Err(()));
        check("\r\n\r\n", Err(()));
    }

    #[test]
    fn a_response_to_head_and_one_that_ends_with_the_connection() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y:z \r\nx: w\r\n\r\n";
        let head = HttpResponse::parse(bytes, BodyRule::Absent, false).unwrap().unwrap();
        assert_eq!((head.size, &*head.body), (bytes.len(), &b""[..]));
        assert_eq!((head.header("x"), head.header("y")), (Some("y:z"), None));
        assert_eq!(head.headers().last(), Some(("x", "w")));
        let rest = HttpResponse::parse(b"HTTP/1.1 200 OK\r\n\r\nx", BodyRule::ByHeaders, true);
        assert_eq!(&*rest.unwrap().unwrap().body, b"x");
    }

    #[test]
    fn requests() {
        let mut out = Vec::new();
        write_request(&mut out, "POST", "/x?y", [("Host", "h"), ("Content-Length", "1")], b"z");
        assert_eq!(out, b"POST /x?y HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nz");
    }
}
