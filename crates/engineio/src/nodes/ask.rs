//! What nodes ask each other beside the requests of clients.

use std::sync::Arc;
use std::time::Duration;

use engineio_proto::NodeTag;
use http::{HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;

use crate::nodes::pool::{Pools, SentBody, Unreachable};
use crate::nodes::{ASK, Question, Told, header};

/// Asks a node something about a session, or about itself.
///
/// # Errors
/// It cannot be reached, or takes too long.
pub(crate) async fn ask(
    pools: &Arc<Pools>,
    secret: Option<&str>,
    address: &str,
    question: Question,
    (sid, from): (Option<&str>, Option<NodeTag>),
    max_answer: usize,
) -> Result<Told, Unreachable> {
    let mut uri = format!("{ASK}{}", question.as_str());
    // what the form of an id has in it, a query may have
    if let Some(sid) = sid {
        uri.push_str(&format!("?sid={sid}"));
    }
    if let Some(from) = from {
        uri.push_str(&format!("&from={from}"));
    }
    let mut request = Request::new(SentBody(None));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.parse().map_err(|_| Unreachable)?;
    let headers = request.headers_mut();
    headers.insert(http::header::HOST, HeaderValue::from_static("node"));
    headers.insert(http::header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    if let Some(secret) = secret {
        let secret = HeaderValue::from_str(secret).map_err(|_| Unreachable)?;
        headers.insert(header::NODE, secret);
    }
    let asking = async {
        let (answer, used) = pools.send(address, request).await?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), max_answer).collect().await;
        let body = body.map_err(|_| Unreachable)?.to_bytes();
        used.give_back();
        Ok(Told { status, body })
    };
    timeout(ANSWER, asking).await.unwrap_or(Err(Unreachable))
}

/// Far more than a node has to say of itself.
pub(crate) const SHORT: usize = 4096;

/// What it takes to look something up, and the way there and back.
const ANSWER: Duration = Duration::from_secs(5);
