//! The client's files, served below the path.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bytes::Bytes;
use engineio::{ContentCoding, set_header};
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use socketio_client_files::Bundle;

/// Which files of the client are served: the option `serve_client`.
// Node 2.0: server.serveClient
#[derive(Clone, Debug, Default)]
pub struct ClientFiles(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    V4,
    V2,
    Directory(PathBuf),
    Off,
}

impl ClientFiles {
    /// Release 4.8, embedded (the default).
    #[must_use]
    pub fn v4() -> Self {
        Self(Source::V4)
    }

    /// Release 2.5, embedded, for pages of old.
    #[must_use]
    pub fn v2() -> Self {
        Self(Source::V2)
    }

    /// The scripts (`.js`) and source maps (`.map`) of a directory, read when the server is built.
    #[must_use]
    pub fn dir(path: impl Into<PathBuf>) -> Self {
        Self(Source::Directory(path.into()))
    }

    /// None: their paths are the engine's.
    #[must_use]
    pub fn off() -> Self {
        Self(Source::Off)
    }

    /// The files, or why they cannot be read.
    pub(crate) fn load(&self) -> io::Result<Option<Files>> {
        Ok(Some(match &self.0 {
            Source::Off => return Ok(None),
            Source::V4 => Files::embedded(Bundle::v4()),
            Source::V2 => Files::embedded(Bundle::v2()),
            Source::Directory(path) => Files::read(path)?,
        }))
    }
}

impl From<bool> for ClientFiles {
    fn from(serve: bool) -> Self {
        if serve { Self::v4() } else { Self::off() }
    }
}

/// Files in memory, found by their exact names.
pub(crate) struct Files {
    etag: HeaderValue,
    /// Of the compressed form: it is another representation.
    // RFC 9110 8.8.3.3
    etag_gzip: HeaderValue,
    files: Vec<File>,
    /// The crate was built without the client's files.
    is_missing: bool,
}

struct File {
    name: String,
    content_type: &'static str,
    bytes: Bytes,
    /// Compressed when somebody first asks for it; none if it does not get smaller.
    gzip: OnceLock<Option<Bytes>>,
}

const SCRIPT: &str = "application/javascript; charset=utf-8";
const MAP: &str = "application/json; charset=utf-8";

/// How hard files are compressed: 9 takes twice the time to make them a hundredth smaller.
const LEVEL: u8 = 6;

/// What a page asks for; answered with a hint if the crate was built without it.
const MAIN: &str = "socket.io.js";

impl Files {
    fn embedded(bundle: &'static Bundle) -> Self {
        let file = |file: &'static socketio_client_files::ClientFile| File {
            name: file.name.to_owned(),
            content_type: file.content_type,
            bytes: Bytes::from_static(file.bytes),
            gzip: OnceLock::new(),
        };
        let files = bundle.files().iter().map(file).collect();
        Self { is_missing: bundle.is_empty(), ..Self::new(bundle.version(), files) }
    }

    fn read(directory: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        let mut newest = 0;
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let content_type = match Path::new(&name).extension().and_then(|e| e.to_str()) {
                Some("js") => SCRIPT,
                Some("map") => MAP,
                _ => continue,
            };
            let modified = entry.metadata()?.modified().ok();
            let modified = modified.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
            newest = newest.max(modified.map_or(0, |at| at.as_secs()));
            let bytes = std::fs::read(entry.path())?.into();
            files.push(File { name, content_type, bytes, gzip: OnceLock::new() });
        }
        if files.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "no .js or .map file in it"));
        }
        Ok(Self::new(&format!("{newest:x}"), files))
    }

    fn new(version: &str, files: Vec<File>) -> Self {
        let etag_gzip = etag(&format!("{version}-gzip"));
        Self { etag: etag(version), etag_gzip, files, is_missing: false }
    }

    /// Whether they were not there when the crate that embeds them was built.
    pub(crate) fn is_missing(&self) -> bool {
        self.is_missing
    }

    /// The answer to a request for one of the files.
    // Node: server.serveClient; exact names, GET and HEAD only
    pub(crate) fn answer(&self, request: &Parts, name: &str) -> Option<Response<Bytes>> {
        if request.method != Method::GET && request.method != Method::HEAD {
            return None;
        }
        let Some(file) = self.files.iter().find(|file| file.name == name) else {
            return (self.is_missing && name == MAIN).then(missing);
        };
        let gzip = match ContentCoding::Gzip.is_accepted(&request.headers) {
            true => file.gzip(),
            false => None,
        };
        let etag = if gzip.is_some() { &self.etag_gzip } else { &self.etag };
        let is_known = request.headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
            let etags = value.to_str().unwrap_or_default().split(',').map(str::trim);
            // RFC 9110 13.1.2: compared weakly
            etags
                .map(|tag| tag.strip_prefix("W/").unwrap_or(tag))
                .any(|tag| tag == "*" || tag == etag)
        });
        let mut answer = match is_known {
            true => {
                let mut answer = Response::new(Bytes::new());
                *answer.status_mut() = StatusCode::NOT_MODIFIED;
                answer
            }
            // of an answer to HEAD the HTTP server sends the length only
            false => Response::new(gzip.unwrap_or(&file.bytes).clone()),
        };
        let headers = answer.headers_mut();
        set_header(headers, header::ETAG, etag.clone());
        // of the plain form as well: a cache must not give it to those who could have the other
        set_header(headers, header::VARY, HeaderValue::from_static("Accept-Encoding"));
        let cache = HeaderValue::from_static("public, max-age=0");
        set_header(headers, header::CACHE_CONTROL, cache);
        if !is_known {
            set_header(headers, header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
            let nosniff = HeaderValue::from_static("nosniff");
            set_header(headers, header::X_CONTENT_TYPE_OPTIONS, nosniff);
            if gzip.is_some() {
                let coding = HeaderValue::from_static(ContentCoding::Gzip.as_str());
                set_header(headers, header::CONTENT_ENCODING, coding);
            }
        }
        Some(answer)
    }
}

impl File {
    /// The compressed form. Other requests for the file wait for it, some milliseconds once.
    fn gzip(&self) -> Option<&Bytes> {
        let compress = || {
            let gzip = ContentCoding::Gzip.compress(&self.bytes, LEVEL);
            (gzip.len() < self.bytes.len()).then(|| Bytes::from(gzip))
        };
        self.gzip.get_or_init(compress).as_ref()
    }
}

fn etag(version: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

fn missing() -> Response<Bytes> {
    let text = "This server was built without the files of the Socket.IO client: run \
                `cargo xtask setup` and build again, or use ClientFiles::dir.\n";
    let mut answer = Response::new(Bytes::from_static(text.as_bytes()));
    *answer.status_mut() = StatusCode::NOT_FOUND;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    set_header(answer.headers_mut(), header::CONTENT_TYPE, plain);
    answer
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.files.iter().map(|file| &file.name)).finish()
    }
}
