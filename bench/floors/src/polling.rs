//! The floor of long polling: hyper answers what the load generator asks, with next to no logic.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Notify;

pub(crate) async fn serve(stream: TcpStream) {
    // A client that breaks off is no concern of ours.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await;
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let query = request.uri().query().unwrap_or_default();
    let id = query.split('&').find_map(|pair| pair.strip_prefix("sid="));
    let body = match id {
        None => open(),
        Some(id) => {
            let session = lock(&SESSIONS).get(id).map(Arc::clone);
            let Some(session) = session else {
                let mut response = Response::new(Full::default());
                *response.status_mut() = StatusCode::BAD_REQUEST;
                return Ok(response);
            };
            if request.method() == Method::POST {
                session.push(&request.into_body().collect().await?.to_bytes());
                Bytes::from_static(b"ok")
            } else {
                session.poll().await
            }
        }
    };
    let mut response = Response::new(Full::new(body));
    let text = HeaderValue::from_static("text/plain; charset=UTF-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    Ok(response)
}

fn open() -> Bytes {
    let mut sessions = lock(&SESSIONS);
    let id = format!("s{:019}", sessions.len());
    sessions.insert(id.clone(), Arc::default());
    format!(
        r#"0{{"sid":"{id}","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}}"#
    )
    .into()
}

#[derive(Default)]
struct Session {
    unsent: Mutex<Vec<u8>>,
    wake: Notify,
}

impl Session {
    /// Echoes; answers the request for the namespace.
    fn push(&self, body: &[u8]) {
        let answer = if body == b"40" { br#"40{"sid":"x"}"# } else { body };
        lock(&self.unsent).extend_from_slice(answer);
        self.wake.notify_one();
    }

    async fn poll(&self) -> Bytes {
        loop {
            let unsent = std::mem::take(&mut *lock(&self.unsent));
            if !unsent.is_empty() {
                return unsent.into();
            }
            self.wake.notified().await;
        }
    }
}

static SESSIONS: LazyLock<Mutex<HashMap<String, Arc<Session>>>> = LazyLock::new(Mutex::default);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
