//! CORS headers of polling answers.

use http::header::{self, HeaderMap, HeaderValue};

/// Which CORS headers answers carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cors {
    /// The origin of a request that `origins` lets in is echoed, with credentials, as 2.0 does and
    /// browsers with clients 1.x and 2.x need; a request without an origin gets `*`.
    #[default]
    FromOrigins,
    /// No CORS headers: only pages of the same origin can poll, or another layer adds them.
    Off,
}

impl Cors {
    /// Adds the headers for an answer to a request with these headers.
    // reference: CORS headers; `Vary` is ours, so that caches keep answers apart
    pub(crate) fn apply(self, request: &HeaderMap, answer: &mut HeaderMap) {
        if self == Self::Off {
            return;
        }
        let any = HeaderValue::from_static("*");
        match request.get(header::ORIGIN) {
            Some(origin) => {
                answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                let yes = HeaderValue::from_static("true");
                answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
                answer.append(header::VARY, HeaderValue::from_static("Origin"));
            }
            None => {
                answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
            }
        }
    }

    /// Adds what a preflight asks for.
    pub(crate) fn apply_preflight(self, request: &HeaderMap, answer: &mut HeaderMap) {
        self.apply(request, answer);
        let methods = HeaderValue::from_static("GET,POST");
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        let headers = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
        let headers = headers.unwrap_or_else(|| HeaderValue::from_static("Content-Type"));
        answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, headers);
        let vary = HeaderValue::from_static("Access-Control-Request-Headers");
        answer.append(header::VARY, vary);
    }

    /// Whether a request is a browser's preflight.
    pub(crate) fn is_preflight(self, request: &HeaderMap) -> bool {
        self != Self::Off
            && request.contains_key(header::ORIGIN)
            && request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
    }
}
