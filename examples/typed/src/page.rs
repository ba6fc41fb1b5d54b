//! Serves the page: the few files that Vite built of `page/`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::{fs, io};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower_service::Service;

/// What answers requests outside of the Socket.IO path.
#[derive(Clone, Debug)]
pub(crate) struct Page(Arc<HashMap<String, (&'static str, Bytes)>>);

/// Everything comes from this server; the page places pointers by style.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; connect-src 'self' ws: wss:";

impl Page {
    /// The files of a folder, read now.
    pub(crate) fn read(folder: &Path) -> io::Result<Self> {
        let mut files = HashMap::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let Ok(name) = path.strip_prefix(folder) else { continue };
                let name = format!("/{}", name.to_string_lossy().replace('\\', "/"));
                let content_type = match path.extension().and_then(|extension| extension.to_str()) {
                    Some("html") => "text/html; charset=utf-8",
                    Some("css") => "text/css; charset=utf-8",
                    Some("js") => "text/javascript; charset=utf-8",
                    _ => "application/octet-stream",
                };
                files.insert(name, (content_type, Bytes::from(fs::read(&path)?)));
            }
        }
        Ok(Self(Arc::new(files)))
    }
}

impl<B> Service<Request<B>> for Page {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let path = match request.uri().path() {
            "/" => "/index.html",
            path => path,
        };
        let Some((content_type, file)) = self.0.get(path) else {
            let mut answer = Response::new(Full::default());
            *answer.status_mut() = StatusCode::NOT_FOUND;
            return ready(Ok(answer));
        };
        let answer = Response::builder()
            .header(CONTENT_TYPE, *content_type)
            .header(CONTENT_SECURITY_POLICY, POLICY)
            .header(CACHE_CONTROL, "no-cache")
            .body(Full::new(file.clone()))
            .expect("these headers are valid");
        ready(Ok(answer))
    }
}
