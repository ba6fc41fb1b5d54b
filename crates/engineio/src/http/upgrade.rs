//! Requests for an upgrade: what is agreed with the client, and the stream behind.

use std::borrow::Cow;

use bytes::Bytes;
use engineio_proto::websocket::extensions::Agreement;
use engineio_proto::websocket::handshake as websocket;
use engineio_proto::{HandshakeError, log};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use tokio::sync::oneshot;

use crate::engine::Engine;
use crate::http::refusal::Refusal;
use crate::http::responses;
use crate::limits::Limit;
use crate::limits::connections::ConnectionPermit;
use crate::options::functions::Panicked;
use crate::patience;
use crate::request;
use crate::stats::Counters;
use crate::transport::framed::Framed;
use crate::transport::stream::Stream;
use crate::transport::upgraded::{self, OwnServer};

/// What a request for an upgrade leads to.
pub(crate) enum Upgrade {
    /// The stream of an HTTP server, once that lets go of it.
    Requested {
        stream: OnUpgrade,
        own: Option<OwnServer>,
        /// Another node passes it on.
        relayed: Option<ConnectionPermit>,
    },
    /// One that is there already, once the answer is written to it.
    Adopted(oneshot::Receiver<Stream>),
}

impl Upgrade {
    /// That of a request, if it asks for WebSocket.
    pub(crate) fn of<B>(request: &mut Request<B>) -> Option<Self> {
        if !is_upgrade(request.headers()) {
            return None;
        }
        let own = request.extensions_mut().remove();
        Some(Self::Requested { stream: hyper::upgrade::on(request), own, relayed: None })
    }

    /// Has a frame follow the answer in one write, if the HTTP server is our own.
    pub(crate) fn write_behind(&self, frame: &[u8]) -> bool {
        let Self::Requested { own: Some(own), .. } = self else { return false };
        own.connection.write_behind(frame);
        true
    }

    /// Counts it among those that other nodes pass on, as long as its stream is open.
    pub(crate) fn relayed(&mut self, permit: ConnectionPermit) {
        if let Self::Requested { relayed, .. } = self {
            *relayed = Some(permit);
        }
    }

    /// The stream, once the HTTP server has let go of it.
    pub(crate) async fn stream(self) -> Option<Stream> {
        match self {
            Self::Requested { stream, own, relayed } => {
                let mut stream = upgraded::take_apart(stream.await.ok()?, own);
                if let Some(relayed) = relayed {
                    stream.hold(relayed);
                }
                Some(stream)
            }
            Self::Adopted(stream) => stream.await.ok(),
        }
    }
}

pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    let upgrade = joined(headers, &header::UPGRADE);
    upgrade.is_some_and(|upgrade| {
        upgrade.split(',').any(|token| token.trim().eq_ignore_ascii_case("websocket"))
    })
}

/// The stream behind an upgrade, once the HTTP server has let go of it.
pub(crate) async fn upgraded(
    engine: &Engine,
    upgrade: Upgrade,
    agreement: Option<Agreement>,
    base64: bool,
) -> Option<Box<Framed>> {
    let options = &engine.options;
    let stream = patience::timeout(options.upgrade_timeout, upgrade.stream()).await;
    let stream = stream.inspect_err(|_| engine.counters.limited(Limit::UpgradeTimeout));
    let stream = stream.ok()??;
    Some(Box::new(Framed::websocket(stream, options, agreement, base64)))
}

/// What the answer to an upgrade says.
pub(crate) struct Accepted {
    /// The value for `Sec-WebSocket-Accept`.
    key: String,
    pub(crate) agreement: Option<Agreement>,
    /// What the client offers.
    offers: Option<String>,
    /// What it gets of that.
    subprotocol: Option<String>,
}

impl Accepted {
    /// The answer.
    // RFC 6455 4.2.2
    pub(crate) fn response(&self) -> Response<Bytes> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        let accept = HeaderValue::from_str(&self.key).expect("base64 can stand in a header");
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        // as it was offered, so it can stand in a header again
        if let Some(Ok(name)) = self.subprotocol.as_deref().map(HeaderValue::from_str) {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, name);
        }
        if let Some(agreement) = &self.agreement {
            let answer = HeaderValue::try_from(agreement.answer()).expect("tokens can stand, too");
            headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, answer);
        }
        responses::with(StatusCode::SWITCHING_PROTOCOLS, headers, Bytes::new())
    }

    /// Selects a subprotocol, if the client offers some; a function is asked with the request.
    pub(crate) async fn select(
        &mut self,
        engine: &Engine,
        request: impl FnOnce() -> request::Request,
    ) -> Result<(), Panicked> {
        let Some(offers) = &self.offers else { return Ok(()) };
        let selected = engine.options.subprotocols.select(offers, request).await;
        if selected.is_err() {
            Counters::add(&engine.counters.panics);
        }
        self.subprotocol = selected?;
        Ok(())
    }
}

/// What to answer, or the answer to a malformed request.
pub(crate) fn check(engine: &Engine, headers: &HeaderMap) -> Result<Accepted, Refusal> {
    let value = |name| joined(headers, &name);
    let upgrade = value(header::UPGRADE);
    let connection = value(header::CONNECTION);
    let version = value(header::SEC_WEBSOCKET_VERSION);
    let key = value(header::SEC_WEBSOCKET_KEY);
    let protocol = value(header::SEC_WEBSOCKET_PROTOCOL);
    let key = websocket::accept(&websocket::Headers {
        upgrade: upgrade.as_deref(),
        connection: connection.as_deref(),
        version: version.as_deref(),
        key: key.as_deref(),
        protocol: protocol.as_deref(),
    })
    .map_err(|error| {
        log!(debug: %error, "upgrade refused");
        let mut answer = responses::refused_upgrade(&HandshakeError::BadRequest);
        if error == websocket::Error::Version {
            // RFC 6455 4.4
            *answer.status_mut() = StatusCode::UPGRADE_REQUIRED;
            let version = HeaderValue::from_static(websocket::VERSION);
            answer.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, version);
        }
        Refusal::answer(answer)
    })?;
    let agreement = engine.options.per_message_deflate.as_ref().and_then(|deflate| {
        Agreement::choose(&value(header::SEC_WEBSOCKET_EXTENSIONS)?, deflate.takeover())
    });
    let offers = protocol.map(Cow::into_owned);
    Ok(Accepted { key, agreement, offers, subprotocol: None })
}

/// The value of a header; several lines are one list.
fn joined<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, str>> {
    let mut lines = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("\u{fffd}"));
    let mut joined = Cow::Borrowed(lines.next()?);
    for line in lines {
        joined += ", ";
        joined += line;
    }
    Some(joined)
}
