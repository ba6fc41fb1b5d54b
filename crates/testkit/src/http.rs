//! A raw HTTP/1.1 client: bodies by length, in chunks or until the end; nothing is decompressed,
//! followed or repeated.

use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::protocol::{BodyRule, HttpResponse, write_request};
use crate::stream::{Connector, Wire};
use crate::wait::{silence, within};

/// Sends one request on a connection of its own and gives the response.
#[track_caller]
pub fn request(server: &Connector, request: Request) -> impl Future<Output = Response> {
    let mut connection = HttpConnection::open(server);
    within("an HTTP response", async move { connection.exchange(&request).await })
}

/// An HTTP request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The headers. `Host`, and `Content-Length` where there is a body, are added if absent.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// A GET request.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A POST request.
    pub fn post(path: &str, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..Self::new("POST", path) }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds the headers that every Engine.IO request to this server has.
    #[must_use]
    pub(crate) fn dressed(mut self, server: &Connector) -> Self {
        self.headers.extend_from_slice(server.headers());
        self
    }

    /// Adds a header unless the request has it.
    #[must_use]
    pub(crate) fn default_header(self, name: &str, value: &str) -> Self {
        if find(&self.headers, name).next().is_some() { self } else { self.header(name, value) }
    }

    /// The request as it goes over the wire.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut request = self.clone().default_header("Host", "test");
        let chunked = find(&self.headers, "transfer-encoding").next().is_some();
        if !chunked && (self.method == "POST" || !self.body.is_empty()) {
            request = request.default_header("Content-Length", &self.body.len().to_string());
        }
        let mut bytes = Vec::new();
        let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        write_request(&mut bytes, &self.method, &self.path, headers, &self.body);
        bytes
    }
}

/// An HTTP response.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers in the order and spelling of the server.
    pub headers: Vec<(String, String)>,
    /// The body, freed from chunks.
    pub body: Bytes,
}

impl Response {
    /// The first header of that name, in any spelling.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name).next()
    }

    /// All headers of that name, in any spelling.
    pub fn headers_named(&self, name: &str) -> Vec<&str> {
        find(&self.headers, name).collect()
    }

    /// The body as text.
    ///
    /// # Panics
    ///
    /// If the body is not UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body should be text")
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// If the body is not JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body should be JSON")
    }
}

/// A connection for any number of requests, one after the other or pipelined.
///
/// Dropping it breaks the connection, also under a response that is still awaited.
#[derive(Debug)]
pub struct HttpConnection {
    wire: Wire,
}

impl HttpConnection {
    /// Opens a connection to the server.
    pub fn open(server: &Connector) -> Self {
        Self::over(server.connect())
    }

    /// Takes a stream whose other end the server has.
    pub fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self { wire: Wire::new(stream) }
    }

    /// Sends a request and waits for the response.
    ///
    /// It may come before the server has taken the whole body; the connection is then of no use
    /// any more.
    #[track_caller]
    pub fn request(&mut self, request: &Request) -> impl Future<Output = Response> {
        within("an HTTP response", self.exchange(request))
    }

    /// Sends bytes as they are. A server that has closed the connection makes no failure here; the
    /// next read shows it.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) -> impl Future<Output = ()> {
        within("the server to read", async move {
            self.wire.write(bytes).await;
            Ok(())
        })
    }

    /// Waits for the next response to a request other than HEAD.
    #[track_caller]
    pub fn read_response(&mut self) -> impl Future<Output = Response> {
        within("an HTTP response", self.receive(&[], BodyRule::ByHeaders))
    }

    /// Reads until the server ends the connection and gives all that came.
    #[track_caller]
    pub fn read_to_end(&mut self) -> impl Future<Output = Bytes> {
        within("the end of the connection", async move {
            while self.wire.fill().await {}
            Ok(self.wire.read.split().freeze())
        })
    }

    /// Panics if the server sends anything, or ends the connection, within `duration`.
    #[track_caller]
    pub fn expect_silence(&mut self, duration: Duration) -> impl Future<Output = ()> {
        silence(duration, async move {
            if self.wire.read.is_empty() {
                self.wire.fill().await;
            }
            Ok(self.wire.read.clone())
        })
    }

    /// Sends a request and waits for the response.
    pub(crate) async fn exchange(&mut self, request: &Request) -> Result<Response, String> {
        let rule = if request.method == "HEAD" { BodyRule::Absent } else { BodyRule::ByHeaders };
        self.receive(&request.to_bytes(), rule).await
    }

    /// Waits for a response, and writes `request` meanwhile.
    async fn receive(&mut self, mut request: &[u8], rule: BodyRule) -> Result<Response, String> {
        let wire = &mut self.wire;
        let mut end = End::NotYet;
        std::future::poll_fn(|cx| {
            wire.poll_write(cx, &mut request);
            loop {
                match take_response(&mut wire.read, end, rule) {
                    Ok(None) if end == End::Reached => {
                        return Poll::Ready(Err("the server ended the connection".to_owned()));
                    }
                    Ok(None) => {}
                    Ok(Some(response)) => return Poll::Ready(Ok(response)),
                    Err(error) => return Poll::Ready(Err(error)),
                }
                match wire.poll_fill(cx) {
                    Poll::Ready(true) => {}
                    Poll::Ready(false) => end = End::Reached,
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }

    pub(crate) async fn receive_response(&mut self) -> Result<Response, String> {
        self.receive(&[], BodyRule::ByHeaders).await
    }

    pub(crate) async fn write(&mut self, request: &Request) {
        self.wire.write(&request.to_bytes()).await;
    }

    pub(crate) fn into_wire(self) -> Wire {
        self.wire
    }
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    NotYet,
    Reached,
}

/// Takes the first response off the buffer, once it is complete.
fn take_response(
    read: &mut BytesMut,
    end: End,
    rule: BodyRule,
) -> Result<Option<Response>, String> {
    let Some(found) = HttpResponse::parse(read, rule, end == End::Reached)? else {
        return Ok(None);
    };
    let headers = found.headers();
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let body = Bytes::copy_from_slice(&found.body);
    let (response, size) = (Response { status: found.status, headers, body }, found.size);
    read.advance(size);
    Ok(Some(response))
}

/// The values of the headers of that name, in any spelling.
pub(crate) fn find<'a>(
    headers: &'a [(String, String)],
    name: &str,
) -> impl Iterator<Item = &'a str> {
    headers.iter().filter(move |h| h.0.eq_ignore_ascii_case(name)).map(|h| h.1.as_str())
}
