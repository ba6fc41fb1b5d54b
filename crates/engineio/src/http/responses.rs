//! The HTTP side of answers: status, headers, bodies.

use std::time::Duration;

use bytes::Bytes;
use engineio_proto::HandshakeError;
use engineio_proto::payload::{ContentType, jsonp};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use crate::http::content_coding::ContentCoding;
use crate::http::context::RequestContext;
use crate::transport::polling::PollAnswer;

/// Adds what is due to every answer below the path, whoever made it; but for those to a request for
/// an upgrade, which are no matter of a page's scripts.
pub(crate) fn complete(context: &RequestContext, answer: &mut Response<Bytes>) {
    // Node: none for scripts of another origin, which anybody may load, nor of a refused one
    if context.query.jsonp.is_none() {
        let is_refused = answer.status() == StatusCode::FORBIDDEN;
        let headers = answer.headers_mut();
        if !is_refused {
            context.origin.apply(headers);
        }
        context.origin.apply_vary(headers);
    }
    // Node: old Internet Explorers took answers for attacks on the page
    if context.old_browser {
        answer.headers_mut().insert(header::X_XSS_PROTECTION, HeaderValue::from_static("0"));
    }
}

/// Answers a poll; compressed, if it is worth it, in the coding that the client prefers. `headers` are
/// empty.
pub(crate) fn payload(
    context: &RequestContext,
    threshold: Option<usize>,
    preferred: impl FnOnce() -> Option<ContentCoding>,
    mut headers: HeaderMap,
    answer: PollAnswer,
) -> Response<Bytes> {
    let PollAnswer { payload, content_type, compress } = answer;
    let body = match &context.query.jsonp {
        None => {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type.as_str()));
            payload
        }
        // A script of another origin: no CORS, and nothing to be guessed about its type.
        Some(digits) => {
            debug_assert_eq!(content_type, ContentType::TextPlain, "JSONP implies base64");
            let script = HeaderValue::from_static("text/javascript; charset=UTF-8");
            headers.insert(header::CONTENT_TYPE, script);
            let nosniff = HeaderValue::from_static("nosniff");
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
            let mut script = Vec::with_capacity(payload.len() + payload.len() / 8 + 32);
            jsonp::wrap(digits, &payload, &mut script);
            script
        }
    };
    let coding = match threshold {
        Some(threshold) if compress && body.len() >= threshold => preferred(),
        _ => None,
    };
    let body = match coding {
        None => body,
        Some(coding) => {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.as_str()));
            headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
            coding.compress_once(&body)
        }
    };
    // A poll's answer must reach nobody else, nor the same client again.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    with(StatusCode::OK, headers, body.into())
}

/// Answers a POST. `headers` are empty.
pub(crate) fn ok(mut headers: HeaderMap) -> Response<Bytes> {
    // Node: text/html, as old browsers need it in a form's frame
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    with(StatusCode::OK, headers, Bytes::from_static(b"ok"))
}

/// No body.
pub(crate) fn empty(status: StatusCode) -> Response<Bytes> {
    with(status, HeaderMap::new(), Bytes::new())
}

/// Answers an OPTIONS request of a session that is no preflight.
pub(crate) fn options(context: &RequestContext, request: &HeaderMap) -> Response<Bytes> {
    let mut headers = HeaderMap::new();
    context.origin.apply_options(request, &mut headers);
    with(StatusCode::OK, headers, Bytes::new())
}

/// Answers a browser's preflight.
pub(crate) fn preflight(context: &RequestContext, request: &HeaderMap) -> Response<Bytes> {
    let mut headers = HeaderMap::new();
    context.origin.apply_options(request, &mut headers);
    with(StatusCode::NO_CONTENT, headers, Bytes::new())
}

/// A refusal of the protocol's table, as JSON.
pub(crate) fn refused(error: &HandshakeError) -> Response<Bytes> {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    json(status, error.code(), error.message())
}

/// A refusal of an upgrade: the message as text, and the end of the connection.
pub(crate) fn refused_upgrade(error: &HandshakeError) -> Response<Bytes> {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut headers = HeaderMap::new();
    // not text/html: the message may hold what the client sent
    let text = HeaderValue::from_static("text/plain; charset=UTF-8");
    headers.insert(header::CONTENT_TYPE, text);
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    with(status, headers, Bytes::copy_from_slice(error.message().as_bytes()))
}

/// A request that could not be read; its connection ends.
pub(crate) fn failed(status: StatusCode, message: &str) -> Response<Bytes> {
    close_connection(json(status, HandshakeError::BadRequest.code(), message))
}

/// No session can be opened now.
pub(crate) fn unavailable(message: &str) -> Response<Bytes> {
    let mut answer =
        json(StatusCode::SERVICE_UNAVAILABLE, HandshakeError::BadRequest.code(), message);
    // RFC 9110 10.2.3; a load balancer asks another server at once
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    close_connection(answer)
}

/// A client asks for sessions too often.
// RFC 6585 4
pub(crate) fn too_fast(wait: Duration) -> Response<Bytes> {
    let code = HandshakeError::BadRequest.code();
    let mut answer = json(StatusCode::TOO_MANY_REQUESTS, code, "Too many handshakes");
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    close_connection(answer)
}

/// A function of the user panicked.
pub(crate) fn panicked() -> Response<Bytes> {
    close_connection(with(StatusCode::INTERNAL_SERVER_ERROR, HeaderMap::new(), Bytes::new()))
}

/// The connection ends with this answer.
pub(crate) fn close_connection(mut answer: Response<Bytes>) -> Response<Bytes> {
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn json(status: StatusCode, code: u8, message: &str) -> Response<Bytes> {
    let message = serde_json::to_string(message).expect("every string has a JSON form");
    let body = format!("{{\"code\":{code},\"message\":{message}}}");
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    with(status, headers, body.into())
}

/// Sets a header, for the layer above: each crate that does it by itself has its own code for it.
#[doc(hidden)]
#[inline(never)]
pub fn set_header(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    headers.insert(name, value);
}

pub(crate) fn with(status: StatusCode, headers: HeaderMap, body: Bytes) -> Response<Bytes> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    answer
}

/// Seconds: about what a server takes to start, and short enough for one that is full.
const RETRY_AFTER: &str = "5";

/// Writes the name of a field as RFCs print it: a capital for the first letter of each word.
pub(crate) fn spell(name: &mut [u8]) {
    for word in name.split_mut(|byte| *byte == b'-') {
        if word.eq_ignore_ascii_case(b"websocket") {
            word.copy_from_slice(b"WebSocket");
        } else if let Some(first) = word.first_mut() {
            first.make_ascii_uppercase();
        }
    }
}
