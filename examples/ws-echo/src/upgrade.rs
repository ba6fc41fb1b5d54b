//! The opening handshake: a request of hyper's -> the answer to it, and a task that echoes.

use engineio_proto::websocket::extensions::{Agreement, Takeover};
use engineio_proto::websocket::handshake::{self, Headers};
use http::header::{self, HeaderMap, HeaderName};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;

use crate::echo::echo;
use crate::options::Options;

type Answer = Response<Full<Bytes>>;

/// Opens a WebSocket, or says why not.
///
/// # Errors
/// The answer cannot be written as HTTP; no request brings that about.
pub(crate) fn answer(mut request: Request<Incoming>, options: Options) -> http::Result<Answer> {
    let (accept, agreement) = match check(&request, options.deflate) {
        Ok(accepted) => accepted,
        Err(error) => return refuse(&error),
    };
    let mut answer = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(agreement) = &agreement {
        answer = answer.header(header::SEC_WEBSOCKET_EXTENSIONS, agreement.answer());
    }
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        // an error is the client's, which went away
        if let Ok(stream) = upgrade.await {
            let _ = echo(TokioIo::new(stream), agreement, options.max_message).await;
        }
    });
    answer.body(Full::default())
}

/// What the answer says: the key, and what is agreed on.
fn check(
    request: &Request<Incoming>,
    deflate: Option<Takeover>,
) -> Result<(String, Option<Agreement>), handshake::Error> {
    let value = |name| joined(request.headers(), &name);
    // RFC 6455 4.2.1
    if request.method() != Method::GET {
        return Err(handshake::Error::NotAnUpgrade);
    }
    let accept = handshake::accept(&Headers {
        upgrade: value(header::UPGRADE).as_deref(),
        connection: value(header::CONNECTION).as_deref(),
        version: value(header::SEC_WEBSOCKET_VERSION).as_deref(),
        key: value(header::SEC_WEBSOCKET_KEY).as_deref(),
        protocol: value(header::SEC_WEBSOCKET_PROTOCOL).as_deref(),
    })?;
    let agreement = deflate.and_then(|takeover| {
        Agreement::choose(&value(header::SEC_WEBSOCKET_EXTENSIONS)?, takeover)
    });
    Ok((accept, agreement))
}

fn refuse(error: &handshake::Error) -> http::Result<Answer> {
    let mut answer = Response::builder().status(StatusCode::BAD_REQUEST);
    if matches!(error, handshake::Error::NotAnUpgrade | handshake::Error::Version) {
        // RFC 9110 15.5.22, RFC 6455 4.4
        answer = answer
            .status(StatusCode::UPGRADE_REQUIRED)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, handshake::VERSION);
    }
    answer.body(format!("{error}\n").into())
}

/// The value of a header; several lines are one list.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines = headers.get_all(name).iter();
    // what is no text matches nothing
    let lines: Vec<&str> = lines.map(|value| value.to_str().unwrap_or("\u{fffd}")).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}
