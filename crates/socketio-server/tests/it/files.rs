//! The client's files, served below the path.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use socketio::Server;
use socketio::options::{ClientFiles, Cors, Origins};
use testkit::{Eio, Request, Response, request};

use crate::lines::Lines;
use crate::support::{Peer, connector, leave_nothing};

/// A directory that goes when the test ends.
struct Directory(PathBuf);

impl Directory {
    fn with(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("socketio-files-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        for (name, content) in files {
            fs::write(path.join(name), content).unwrap();
        }
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

fn serving(directory: &Directory) -> Server {
    Server::builder().serve_client(ClientFiles::dir(&directory.0)).build().unwrap()
}

async fn ask(io: &Server, asked: Request) -> Response {
    request(&connector(io), asked).await
}

#[tokio::test(start_paused = true)]
async fn server_serve_client() {
    let directory = Directory::with(&[
        ("socket.io.js", "/* the client */"),
        ("socket.io.js.map", "{}"),
        ("README.md", "no script"),
    ]);
    let io = serving(&directory);
    assert!(io.serve_client());
    let script = ask(&io, Request::get("/socket.io/socket.io.js")).await;
    assert_eq!((script.status, script.text()), (200, "/* the client */"));
    assert_eq!(script.header("content-type"), Some("application/javascript; charset=utf-8"));
    assert_eq!(script.header("cache-control"), Some("public, max-age=0"));
    let etag = script.header("etag").expect("an etag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    let map = ask(&io, Request::get("/socket.io/socket.io.js.map?x=1")).await;
    assert_eq!((map.status, map.text()), (200, "{}"));
    assert_eq!(map.header("content-type"), Some("application/json; charset=utf-8"));

    // strong, weak, in a list, any
    for known in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
        let get = Request::get("/socket.io/socket.io.js").header("If-None-Match", &known);
        let known = ask(&io, get).await;
        assert_eq!((known.status, known.body.len()), (304, 0));
        assert_eq!(known.header("etag"), Some(&*etag));
    }
    let other = Request::get("/socket.io/socket.io.js").header("If-None-Match", "\"other\"");
    assert_eq!(ask(&io, other).await.status, 200);
    // sessions are served beside them
    let peer = Peer::join(&connector(&io), Eio::V4).await;
    leave_nothing(&io, [peer]).await;
}

/// Compressed for those who take it, as a representation of its own.
#[tokio::test(start_paused = true)]
async fn files_are_compressed() {
    let text = "/* the client */\n".repeat(1000);
    let directory = Directory::with(&[("socket.io.js", &text), ("small.js", "0")]);
    let io = serving(&directory);
    let get = |path: &str| Request::get(path).header("Accept-Encoding", "br, gzip;q=0.5");
    let plain = ask(&io, Request::get("/socket.io/socket.io.js")).await;
    let gzip = ask(&io, get("/socket.io/socket.io.js")).await;
    assert_eq!((plain.status, plain.text()), (200, &*text));
    assert_eq!((gzip.status, gzip.header("content-encoding")), (200, Some("gzip")));
    assert!(gzip.body.len() < text.len() / 10);
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&gzip.body[..]).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, text);
    let length = |answer: &Response| answer.header("content-length").map(str::to_owned);
    assert_eq!(length(&gzip), Some(gzip.body.len().to_string()));
    assert_eq!(
        (plain.header("content-encoding"), length(&plain)),
        (None, Some("17000".to_owned()))
    );
    for answer in [&plain, &gzip] {
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
        let content_type = answer.header("content-type");
        assert_eq!(content_type, Some("application/javascript; charset=utf-8"));
    }
    // made once
    assert_eq!(ask(&io, get("/socket.io/socket.io.js")).await.body, gzip.body);
    let mut head = get("/socket.io/socket.io.js");
    head.method = "HEAD".to_owned();
    let head = ask(&io, head).await;
    assert_eq!((head.status, head.body.len(), length(&head)), (200, 0, length(&gzip)));
    assert_eq!(head.header("content-encoding"), Some("gzip"));
    let range = ask(&io, get("/socket.io/socket.io.js").header("Range", "bytes=0-3")).await;
    assert_eq!((range.status, range.body), (200, gzip.body.clone()));

    let tag = |answer: &Response| answer.header("etag").expect("an etag").to_owned();
    assert_ne!(tag(&plain), tag(&gzip));
    for (known, status) in [
        (tag(&gzip), 304),
        (format!("W/{}", tag(&gzip)), 304),
        (format!("{}, {}", tag(&plain), tag(&gzip)), 304),
        ("*".to_owned(), 304),
        // it has the other form only
        (tag(&plain), 200),
    ] {
        let asked = get("/socket.io/socket.io.js").header("If-None-Match", &known);
        let answer = ask(&io, asked).await;
        assert_eq!(answer.status, status, "{known}");
        assert_eq!(answer.body.is_empty(), status == 304);
        assert_eq!(answer.header("content-encoding"), (status == 200).then_some("gzip"));
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
        assert_eq!(tag(&answer), tag(&gzip));
    }
    let asked = Request::get("/socket.io/socket.io.js").header("If-None-Match", &tag(&gzip));
    assert_eq!(ask(&io, asked).await.status, 200);

    // what would not get smaller, and who does not want it
    let small = ask(&io, get("/socket.io/small.js")).await;
    assert_eq!((small.text(), small.header("content-encoding")), ("0", None));
    assert_eq!(small.header("vary"), Some("Accept-Encoding"));
    for other in ["gzip;q=0", "deflate, br", "xgzip"] {
        let asked = Request::get("/socket.io/socket.io.js").header("Accept-Encoding", other);
        assert_eq!(ask(&io, asked).await.header("content-encoding"), None, "{other}");
    }
}

/// A page of another origin may import them as modules, and caches keep the answers apart.
#[tokio::test(start_paused = true)]
async fn files_are_for_pages_of_other_origins_too() {
    let directory = Directory::with(&[("socket.io.esm.min.js", "script"), ("a.js.map", "{}")]);
    let files = || ClientFiles::dir(&directory.0);
    let any = Server::builder().serve_client(files()).build().unwrap();
    let list = Origins::list("https://ok.test").unwrap();
    let list = Server::builder().serve_client(files()).origins(list).build().unwrap();
    let off = Server::builder().serve_client(files()).cors(Cors::Off).build().unwrap();
    let page = Some("https://ok.test");
    for path in ["/socket.io/socket.io.esm.min.js", "/socket.io/a.js.map"] {
        for (io, origin, allowed, varies) in [
            (&any, page, page, true),
            (&any, None, Some("*"), true),
            (&list, page, page, true),
            (&list, Some("https://evil.test"), None, true),
            (&off, page, None, false),
        ] {
            let asked = |method| match origin {
                Some(origin) => Request::new(method, path).header("Origin", origin),
                None => Request::new(method, path),
            };
            for (asked, status) in [
                (asked("GET"), 200),
                (asked("HEAD"), 200),
                (asked("GET").header("If-None-Match", "*"), 304),
            ] {
                let answer = ask(io, asked).await;
                assert_eq!(answer.status, status);
                assert_eq!(answer.header("access-control-allow-origin"), allowed, "{origin:?}");
                let credentials = answer.header("access-control-allow-credentials");
                assert_eq!(credentials.is_some(), allowed == page, "{origin:?}");
                let vary = answer.headers_named("vary");
                assert_eq!(vary.contains(&"Origin"), varies, "{origin:?}: {vary:?}");
                assert!(vary.contains(&"Accept-Encoding"));
            }
        }
    }
    // and whether it may is asked before
    let preflight = Request::new("OPTIONS", "/socket.io/socket.io.esm.min.js")
        .header("Origin", "https://ok.test")
        .header("Access-Control-Request-Method", "GET");
    let answer = ask(&list, preflight).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, page));
}

/// GET and HEAD, and exact names; all else is the engine's.
#[tokio::test(start_paused = true)]
async fn only_files_that_are_there() {
    let directory = Directory::with(&[("socket.io.js", "script"), ("secret.txt", "secret")]);
    fs::create_dir(directory.0.join("sub")).unwrap();
    fs::write(directory.0.join("sub").join("a.js"), "deeper").unwrap();
    let io = serving(&directory);
    let head = ask(&io, Request::new("HEAD", "/socket.io/socket.io.js")).await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("6")));
    for path in [
        "/socket.io/socket.io.jsfoo",
        "/socket.io/secret.txt",
        "/socket.io/sub/a.js",
        "/socket.io/../socket.io/socket.io.js",
        "/socket.io/%2e%2e/secret.txt",
        "/socket.io//socket.io.js",
        "/socket.io/SOCKET.IO.JS",
        "/socket.io/",
    ] {
        let answer = ask(&io, Request::get(path)).await;
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(answer.json(), json!({"code": 0, "message": "Transport unknown"}), "{path}");
    }
    let post = ask(&io, Request::post("/socket.io/socket.io.js", "x")).await;
    assert_eq!(post.status, 400);
    // beside the path it is nobody's
    assert_eq!(ask(&io, Request::get("/socket.io.js")).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn serve_client_off() {
    let io = Server::builder().serve_client(false).build().unwrap();
    assert!(!io.serve_client());
    let answer = ask(&io, Request::get("/socket.io/socket.io.js")).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json(), json!({"code": 0, "message": "Transport unknown"}));
}

/// They lie below the path, wherever that is.
#[tokio::test(start_paused = true)]
async fn files_lie_below_the_path() {
    let directory = Directory::with(&[("socket.io.js", "script")]);
    let files = ClientFiles::dir(&directory.0);
    let io = Server::builder().path("/own").serve_client(files).build().unwrap();
    assert_eq!(ask(&io, Request::get("/own/socket.io.js")).await.status, 200);
    assert_eq!(ask(&io, Request::get("/socket.io/socket.io.js")).await.status, 404);
}

/// The embedded files, or a hint if they were not fetched when the crate was built.
#[tokio::test(start_paused = true)]
async fn embedded_files() {
    let lines = Lines::default();
    let _collecting = lines.collect("socketio=warn");
    for files in [ClientFiles::v4(), ClientFiles::v2()] {
        let io = Server::builder().serve_client(files).build().unwrap();
        let script = ask(&io, Request::get("/socket.io/socket.io.js")).await;
        let is_told = lines.take().contains("the client's files are not in this build");
        match script.status {
            200 => assert!(!is_told && script.text().contains("Socket.IO v")),
            status => {
                assert_eq!(status, 404);
                assert!(is_told && script.text().contains("ClientFiles::dir"));
            }
        }
    }
}

#[test]
fn a_directory_without_scripts_is_an_error() {
    let directory = Directory::with(&[("README.md", "no script")]);
    let files = ClientFiles::dir(&directory.0);
    let error = Server::builder().serve_client(files).build().unwrap_err();
    assert_eq!(error.to_string(), "option serve_client: no .js or .map file in it");
}
