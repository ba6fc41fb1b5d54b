//! CORS headers of all answers below the path.

use http::header::{self, HeaderMap, HeaderValue};

use crate::options::cors::Cors;
use crate::options::origins::Origins;

/// What the answers to one request say of its origin.
// Node: CORS headers; `Vary` is ours, so that caches keep answers apart
#[derive(Clone, Debug)]
pub(crate) enum AllowedOrigin {
    /// No CORS at all.
    Off,
    /// The request has no origin.
    Any,
    /// This one.
    Echo(HeaderValue),
    /// The origin is not on the list.
    None,
}

impl AllowedOrigin {
    pub(crate) fn new(cors: Cors, origins: &Origins, request: &HeaderMap) -> Self {
        match request.get(header::ORIGIN) {
            _ if cors == Cors::Off => Self::Off,
            None => Self::Any,
            Some(origin) if origins.may_allow(origin.as_bytes()) => {
                // a copy, which lets go of the HTTP server's buffer: a poll may wait for long
                HeaderValue::from_bytes(origin.as_bytes()).map_or(Self::None, Self::Echo)
            }
            Some(_) => Self::None,
        }
    }

    /// Adds the headers to an answer.
    pub(crate) fn apply(&self, answer: &mut HeaderMap) {
        match self {
            Self::Off | Self::None => {}
            Self::Any => {
                let any = HeaderValue::from_static("*");
                answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
            }
            Self::Echo(origin) => {
                answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                let yes = HeaderValue::from_static("true");
                answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
            }
        }
    }

    /// Says that the answer is for this origin only.
    pub(crate) fn apply_vary(&self, answer: &mut HeaderMap) {
        if matches!(self, Self::Echo(_) | Self::None) {
            answer.append(header::VARY, HeaderValue::from_static("Origin"));
        }
    }

    /// Says it of an answer that may be cached, too: it may be given to pages with an origin
    /// although it was made for a request without.
    pub(crate) fn apply_vary_if_cached(&self, answer: &mut HeaderMap) {
        if matches!(self, Self::Any) && answer.contains_key(header::ETAG) {
            answer.append(header::VARY, HeaderValue::from_static("Origin"));
        }
    }

    /// Adds what an OPTIONS request asks for beside: a browser's preflight all of it.
    pub(crate) fn apply_options(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        if matches!(self, Self::Off | Self::None) {
            return;
        }
        let asked = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
        if self.is_preflight(request) {
            let methods = HeaderValue::from_static("GET,POST");
            answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
            let vary = HeaderValue::from_static("Access-Control-Request-Headers");
            answer.append(header::VARY, vary);
        }
        let headers = asked.unwrap_or_else(|| HeaderValue::from_static("Content-Type"));
        answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, headers);
    }

    /// Whether an OPTIONS request is a browser's preflight, and ours to answer.
    pub(crate) fn is_preflight(&self, request: &HeaderMap) -> bool {
        !matches!(self, Self::Off)
            && request.contains_key(header::ORIGIN)
            && request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
    }
}
