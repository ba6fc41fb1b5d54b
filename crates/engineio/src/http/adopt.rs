//! Streams that another HTTP server took a request for an upgrade from, and gave away with it.

use std::any::Any;
use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use engineio_proto::TransportKind;
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::engine::Engine;
use crate::http::open;
use crate::http::responses::spell;
use crate::http::upgrade::{self, Upgrade};
use crate::patience;
use crate::transport::stream::Stream;

/// Headers for the answer to a request for an upgrade, beside those that it has anyway: put into the
/// extensions of the request's head, for [`Server::adopt`](crate::Server::adopt).
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a newtype")]
pub struct AnswerHeaders(pub HeaderMap);

/// Answers the request on its stream, and goes on with that.
pub(crate) async fn adopt<S>(
    engine: Arc<Engine>,
    stream: S,
    mut head: Parts,
    prefix: &[u8],
) -> StatusCode
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (give, stream_to_come) = oneshot::channel();
    let is_upgrade = engine.allows(TransportKind::WebSocket) && upgrade::is_upgrade(&head.headers);
    let upgrade = is_upgrade.then_some(Upgrade::Adopted(stream_to_come));
    let further: Option<AnswerHeaders> = head.extensions.remove();
    let write_timeout = engine.options.write_timeout;
    let request = Request::from_parts(head, Empty::<Bytes>::new());
    let mut answer = open::answer_with(engine, request, upgrade, None).await.collected().await;
    if let Some(AnswerHeaders(further)) = further {
        for (name, value) in &further {
            answer.headers_mut().append(name, value.clone());
        }
    }
    let mut stream = stream_of(stream, prefix);
    let status = answer.status();
    stream.out = written(answer);
    let writing = poll_fn(|cx| stream.poll_queued(cx));
    let is_written = matches!(patience::timeout(write_timeout, writing).await, Ok(Ok(())));
    if is_written && status == StatusCode::SWITCHING_PROTOCOLS {
        // who waits for it may have given up
        let _ = give.send(stream);
    } else {
        let _ = patience::timeout(write_timeout, poll_fn(|cx| stream.poll_shutdown(cx))).await;
    }
    status
}

/// Plain TCP streams are told from others: they are written without their driver.
fn stream_of<S: AsyncRead + AsyncWrite + Send + 'static>(stream: S, prefix: &[u8]) -> Stream {
    let mut stream = Some(stream);
    let any: &mut dyn Any = &mut stream;
    if let Some(tcp) = any.downcast_mut::<Option<TcpStream>>().and_then(Option::take) {
        return Stream::tcp(tcp, prefix, None);
    }
    let mut stream = Stream::other(stream.expect("taken only if it is one of TCP"));
    stream.unread(prefix.to_vec());
    stream
}

/// The answer as bytes.
// RFC 9112 4
fn written(answer: Response<Bytes>) -> Vec<u8> {
    let (mut head, body) = answer.into_parts();
    if head.status != StatusCode::SWITCHING_PROTOCOLS {
        head.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    let mut out = Vec::with_capacity(256 + body.len());
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(head.status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(head.status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in &head.headers {
        let mut name = name.as_str().as_bytes().to_vec();
        spell(&mut name);
        out.extend_from_slice(&name);
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&body);
    out
}
