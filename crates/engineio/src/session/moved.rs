//! A session on its way from one node to another: what is known of it, as bytes between them.
//!
//! ```text
//!   PROTOCOL LF peer LF forwarded LF encrypted LF length of the head LF [form LF length LF]* LF
//!   head, bodies of POSTs
//! ```

use bytes::Bytes;
use engineio_proto::Protocol;
use engineio_proto::payload::Form;

use crate::request::{Client, Request};

/// See the module.
#[derive(Debug)]
pub(crate) struct Moved {
    pub(crate) protocol: Protocol,
    /// The request that opened it.
    pub(crate) request: Request,
    /// What its client has posted, and nobody has seen.
    pub(crate) posts: Vec<(Form, Bytes)>,
}

impl Moved {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let (head, client) = self.request.packed();
        let address = |address: Option<std::net::SocketAddr>| {
            address.map(|address| address.to_string()).unwrap_or_default()
        };
        let mut out = format!(
            "{}\n{}\n{}\n{}\n{}\n",
            self.protocol.number(),
            address(client.peer),
            address(client.forwarded),
            u8::from(client.is_secure),
            head.len()
        );
        for (form, body) in &self.posts {
            let form = FORMS.iter().position(|known| known == form).unwrap_or_default();
            out.push_str(&format!("{form}\n{}\n", body.len()));
        }
        out.push('\n');
        let bodies = self.posts.iter().map(|(_, body)| &body[..]);
        std::iter::once(out.as_bytes()).chain([head]).chain(bodies).collect::<Vec<_>>().concat()
    }

    /// What another node wrote; `None` if it is none.
    pub(crate) fn parse(mut bytes: Bytes) -> Option<Self> {
        let mut line = || {
            let at = bytes.iter().position(|byte| *byte == b'\n')?;
            let line = bytes.split_to(at + 1);
            Some(std::str::from_utf8(&line[..at]).ok()?.to_owned())
        };
        let number = line()?;
        let protocol = Protocol::ALL.into_iter().find(|p| p.number().to_string() == number)?;
        let mut address = || match line()?.as_str() {
            "" => Some(None),
            text => text.parse().ok().map(Some),
        };
        let (peer, forwarded) = (address()?, address()?);
        let is_secure = line()? == "1";
        let head: usize = line()?.parse().ok()?;
        let mut posts = Vec::new();
        loop {
            let form = line()?;
            if form.is_empty() {
                break;
            }
            let form = *FORMS.get(form.parse::<usize>().ok()?)?;
            posts.push((form, line()?.parse::<usize>().ok()?));
        }
        let mut take = |length: usize| (length <= bytes.len()).then(|| bytes.split_to(length));
        let head = take(head)?.to_vec().into_boxed_slice();
        let posts = posts.into_iter().map(|(form, length)| Some((form, take(length)?)));
        let posts = posts.collect::<Option<_>>()?;
        let client = Client { peer, forwarded, is_secure };
        Some(Self { protocol, request: Request::from_packed(head, client), posts })
    }
}

const FORMS: [Form; 3] = [Form::V4, Form::V3Text, Form::V3Binary];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{RemoteAddr, Secure};

    #[test]
    fn a_session_arrives_as_it_left() {
        let request = http::Request::get("/engine.io/?EIO=3&x=%0a")
            .header("cookie", "a=b")
            .extension(RemoteAddr(([192, 0, 2, 1], 9).into()))
            .extension(Secure)
            .body(())
            .unwrap();
        let posts =
            vec![(Form::V3Binary, Bytes::from_static(b"\n\n\0\xff")), (Form::V4, Bytes::new())];
        let moved = Moved { protocol: Protocol::V3, request: request.into(), posts };
        let bytes = Bytes::from(moved.to_bytes());
        let there = Moved::parse(bytes.clone()).unwrap();
        assert_eq!((there.protocol, &there.posts), (Protocol::V3, &moved.posts));
        assert_eq!(there.request.packed(), moved.request.packed());
        assert_eq!(there.request.header("cookie"), Some("a=b"));
        for length in 0..bytes.len() {
            assert!(Moved::parse(bytes.slice(..length)).is_none(), "{length}");
        }
        for no in ["", "5\n", "3\nx\n\n0\n0\n\n", "3\n\n\n0\n9\n\n", "3\n\n\n0\n0\n7\n0\n\n"] {
            assert!(Moved::parse(Bytes::from_static(no.as_bytes())).is_none(), "{no:?}");
        }
    }
}
