//! Each option acts: ids, who may connect, cookies, bounds, paths, compression.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use engineio::{
    AllowRequest, Cookie, GenerateId, Message, Options, OptionsError, Origins, Outgoing, Refused,
    Request, SameSite, Server, TransportKind,
};
use serde_json::{Value, json};
use testkit::{
    Connector, Eio, HttpConnection, Polling, Response, WebSocket, open_websocket, request,
};

use crate::host::{Host, advance, ms, s};

async fn get(net: &Connector, headers: &[(&str, &str)]) -> Response {
    let mut get = testkit::Request::get(&net.target(Eio::V4, "polling", ""));
    for (name, value) in headers {
        get = get.header(name, value);
    }
    request(net, get).await
}

fn sid(response: &Response) -> String {
    assert_eq!(response.status, 200, "{response:?}");
    let open: Value = serde_json::from_str(&response.text()[1..]).unwrap();
    open["sid"].as_str().unwrap().to_owned()
}

/// Expects that neither transport is let in.
async fn expect_refused(net: &Connector, status: u16, code: u8, message: &str) {
    let response = get(net, &[]).await;
    assert_eq!(response.status, status);
    assert_eq!(response.json(), json!({"code": code, "message": message}));
    let target = net.target(Eio::V4, "websocket", "");
    let refused = WebSocket::connect(net, &target, &[]).await;
    // the connector's headers are for the other clients
    if let Err(response) = refused {
        assert_eq!((response.status, response.text()), (status, message));
    }
}

#[tokio::test(start_paused = true)]
async fn ids_by_a_sync_function() {
    let mut options = Options::default();
    let count = AtomicU32::new(0);
    options.set_generate_id(move |request: Request| {
        format!(
            "{}/{} ü",
            request.header("x-user").unwrap_or("nobody"),
            count.fetch_add(1, Ordering::Relaxed)
        )
    });
    options.cookie = Some(Cookie::default());
    let host = Host::echo(options);
    let response = get(&host.net, &[("X-User", "ann")]).await;
    assert_eq!(sid(&response), "ann/0 ü");
    let cookie = "io=ann%2F0%20%C3%BC; HttpOnly; SameSite=Lax; Path=/";
    assert_eq!(response.header("set-cookie"), Some(cookie));
    assert!(host.server.session("ann/0 ü").is_some());
    let target = format!("{}&sid=ann%2F0%20%C3%BC", host.net.target(Eio::V4, "polling", ""));
    let post = testkit::Request::post(&target, "4hello");
    assert_eq!(request(&host.net, post).await.text(), "ok");
    host.expect(&["open", "hello"]);
    assert_eq!(open_websocket(&host.net, Eio::V4, "").await.1["sid"], "nobody/1 ü");
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn ids_by_an_async_function() {
    let mut options = Options::default();
    let prefix = "user".to_owned();
    options.set_generate_id(async move |request: Request| {
        tokio::time::sleep(ms(10)).await;
        match request.header("x-user") {
            Some(user) => Ok(format!("{prefix}-{user}")),
            None => Err("no user"),
        }
    });
    let host = Host::echo(options);
    assert_eq!(sid(&get(&host.net, &[("X-User", "ann")]).await), "user-ann");
    expect_refused(&host.net, 400, 3, "Bad request").await;
    assert_eq!(host.stats().sessions, 1);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_id_in_use_is_drawn_again_once() {
    let mut options = Options::default();
    let drawn = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&drawn);
    options.set_generate_id(move |_: Request| {
        // 0 0 1 1 1 ..
        let n = count.fetch_add(1, Ordering::Relaxed);
        if n < 2 { "0".to_owned() } else { "1".to_owned() }
    });
    let host = Host::echo(options);
    assert_eq!(sid(&get(&host.net, &[]).await), "0");
    assert_eq!(sid(&get(&host.net, &[]).await), "1");
    assert_eq!(get(&host.net, &[]).await.status, 400);
    assert_eq!(drawn.load(Ordering::Relaxed), 5);
    assert_eq!(host.stats().sessions, 2);
    // an id is free again when its session is over
    host.server.session("1").unwrap().close();
    advance(s(31)).await;
    assert_eq!(sid(&get(&host.net, &[]).await), "1");
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_id_is_none() {
    let mut options = Options::default();
    options.set_generate_id(|_: Request| String::new());
    let host = Host::echo(options);
    expect_refused(&host.net, 400, 3, "Bad request").await;
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn allow_request_decides() {
    let mut options = Options::default();
    options.set_allow_request(|request: Request| match request.header("x-token") {
        Some("good") => Ok(()),
        Some("code") => Err(Refused::code(2)),
        Some("words") => Err(Refused::with("bad \"token\"")),
        _ => Err(Refused::forbidden()),
    });
    // it decides instead of the origins
    options.origins = Origins::list("http://nobody.test").unwrap();
    let host = Host::echo(options);
    let with = |token| host.net.clone().with_header("X-Token", token);
    sid(&get(&host.net, &[("X-Token", "good")]).await);
    expect_refused(&host.net, 403, 4, "Forbidden").await;
    let response = get(&host.net, &[("X-Token", "code")]).await;
    assert_eq!(response.json(), json!({"code": 2, "message": "Bad handshake method"}));
    let response = get(&host.net, &[("X-Token", "words")]).await;
    assert_eq!(
        (response.status, response.json()),
        (403, json!({"code": 4, "message": "bad \"token\""}))
    );
    open_websocket(&with("good"), Eio::V4, "").await;
    let target = host.net.target(Eio::V4, "websocket", "");
    let words = [("X-Token", "words")];
    let refused = WebSocket::connect(&host.net, &target, &words).await.unwrap_err();
    assert_eq!((refused.status, refused.text()), (403, "bad \"token\""));
    assert_eq!(host.stats().opened, 2);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_wait_for_the_decision_leaves_nothing() {
    let mut options = Options::default();
    options.set_allow_request(async |_: Request| {
        tokio::time::sleep(s(2)).await;
        Ok(())
    });
    let host = Host::echo(options);
    for transport in ["polling", "websocket"] {
        let mut connection = HttpConnection::open(&host.net);
        let target = host.net.target(Eio::V4, transport, "");
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let request = match transport {
            "polling" => format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"),
            _ => request,
        };
        connection.send(request.as_bytes()).await;
        advance(s(1)).await;
        drop(connection);
    }
    advance(s(3)).await;
    host.expect(&[]);
    assert_eq!((host.stats().opened, host.stats().sessions), (0, 0));
    host.end().await;
}

/// The forms that types of one's own take.
struct Own;

impl AllowRequest for Own {
    fn allow(
        &self,
        request: Request,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Refused>> + Send + '_>> {
        Box::pin(async move {
            if request.query().contains("own=1") { Ok(()) } else { Err("not own".into()) }
        })
    }
}

impl GenerateId for Own {
    fn generate(
        &self,
        _: Request,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<String, String>> + Send + '_>> {
        Box::pin(async { Ok("own".to_owned()) })
    }
}

#[tokio::test(start_paused = true)]
async fn types_may_decide_and_make_ids_themselves() {
    let mut options = Options::default();
    options.allow_request = Some(Arc::new(Own));
    options.set_generate_id(Own);
    let host = Host::echo(options);
    expect_refused(&host.net, 403, 4, "not own").await;
    assert_eq!(Polling::open(&host.net, Eio::V4, "own=1").await.sid(), "own");
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_function_ends_its_request_only() {
    let mut options = Options::default();
    options.set_allow_request(|request: Request| {
        assert!(request.header("x-panic").is_none(), "as asked for");
        Ok(())
    });
    options.set_generate_id(async |request: Request| {
        assert!(request.header("x-panic-id").is_none(), "as asked for");
        engineio::random_id()
    });
    let host = Host::echo(options);
    for header in ["X-Panic", "X-Panic-Id"] {
        let response = get(&host.net, &[(header, "1")]).await;
        assert_eq!((response.status, response.body.len()), (500, 0));
    }
    assert_eq!((host.stats().panics, host.stats().sessions), (2, 0));
    sid(&get(&host.net, &[]).await);
    host.end().await;
}

/// Neither is taken for a program that names none.
#[tokio::test(start_paused = true)]
async fn an_origin_that_is_named_twice_or_is_no_text_is_refused() {
    let mut options = Options::default();
    options.origins = Origins::list("https://ok.test").unwrap().allow_missing(true);
    let host = Host::echo(options);
    let target = host.net.target(Eio::V4, "polling", "");
    let open = async |headers: &[(&str, &str)]| {
        let mut request_ = testkit::Request::get(&target);
        for (name, value) in headers {
            request_ = request_.header(name, value);
        }
        request(&host.net, request_).await.status
    };
    let (ok, evil) = (("Origin", "https://ok.test"), ("Origin", "https://evil.test"));
    assert_eq!(open(&[]).await, 200);
    assert_eq!(open(&[ok]).await, 200);
    assert_eq!(open(&[("Referer", "https://ok.test/a")]).await, 200);
    for headers in [
        &[evil][..],
        &[ok, evil],
        &[evil, ok],
        &[ok, ok],
        &[("Origin", "https://ok\u{e9}.test")],
        &[("Referer", "https://evil.test/")],
        &[("Referer", "https://ok.test/"), ("Referer", "https://evil.test/")],
    ] {
        assert_eq!(open(headers).await, 403, "{headers:?}");
    }
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn origins_are_checked_on_both_transports() {
    let mut options = Options::default();
    options.origins = Origins::list("https://ok.test").unwrap();
    let listed = Host::echo(options);
    let mut options = Options::default();
    options.origins = Origins::check(async |origin: String, _: Request| {
        tokio::time::sleep(ms(5)).await;
        // the whole referer, if there is no origin
        match origin == "https://ok.test" || origin == "https://ok.test/page?x" {
            true => Ok(()),
            false => Err(Refused::forbidden()),
        }
    });
    let asked = Host::echo(options);
    let mut options = Options::default();
    options.origins = Origins::check(|origin: String, _: Request| match origin.as_str() {
        "https://ok.test" | "https://ok.test/page?x" => Ok(()),
        _ => Err(Refused::forbidden()),
    });
    let asked_at_once = Host::echo(options);
    for host in [listed, asked, asked_at_once] {
        let target = host.net.target(Eio::V4, "websocket", "");
        for headers in [
            &[("Origin", "https://evil.test")][..],
            &[("Origin", "https://ok.test.evil.test")],
            &[("Origin", "null")],
            &[],
        ] {
            let response = get(&host.net, headers).await;
            assert_eq!(response.status, 403, "{headers:?}");
            assert_eq!(response.json(), json!({"code": 4, "message": "Forbidden"}));
            assert_eq!(response.header("access-control-allow-origin"), None);
            let refused = WebSocket::connect(&host.net, &target, headers).await.unwrap_err();
            assert_eq!((refused.status, refused.text()), (403, "Forbidden"));
        }
        let ok = [("Origin", "https://ok.test")];
        sid(&get(&host.net, &ok).await);
        assert!(WebSocket::connect(&host.net, &target, &ok).await.is_ok());
        sid(&get(&host.net, &[("Referer", "https://ok.test/page?x")]).await);
        assert_eq!(host.stats().opened, 3);
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_cookie_is_set_once() {
    let mut options = Options::default();
    let mut cookie = Cookie::named("sticky");
    cookie.path = Some("/app".to_owned());
    (cookie.secure, cookie.partitioned) = (true, true);
    (cookie.domain, cookie.max_age) = (Some("app.test".to_owned()), Some(ms(3_600_999)));
    cookie.same_site = Some(SameSite::None);
    options.cookie = Some(cookie);
    let host = Host::echo(options);
    let response = get(&host.net, &[]).await;
    let id = sid(&response);
    let expected = format!(
        "sticky={id}; HttpOnly; SameSite=None; Partitioned; Secure; Path=/app; Domain=app.test; \
         Max-Age=3600"
    );
    assert_eq!(response.headers_named("set-cookie"), [expected.as_str()]);
    host.say("x");
    let target = format!("{}&sid={id}", host.net.target(Eio::V4, "polling", ""));
    let poll = request(&host.net, testkit::Request::get(&target)).await;
    let post = request(&host.net, testkit::Request::post(&target, "4x")).await;
    assert_eq!((poll.status, poll.header("set-cookie")), (200, None));
    assert_eq!((post.status, post.header("set-cookie")), (200, None));
    let websocket = open_websocket(&host.net, Eio::V4, "").await.0;
    assert_eq!(websocket.response().header("set-cookie"), None);
    drop(websocket);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn sessions_are_bounded() {
    let mut options = Options::default();
    options.max_sessions = Some(2);
    let host = Host::echo(options);
    let first = open_websocket(&host.net, Eio::V4, "").await.0;
    let _second = Polling::open(&host.net, Eio::V4, "").await;
    let response = get(&host.net, &[]).await;
    assert_eq!(response.status, 503);
    assert_eq!(response.json(), json!({"code": 3, "message": "Too many sessions"}));
    let target = host.net.target(Eio::V4, "websocket", "");
    assert_eq!(WebSocket::connect(&host.net, &target, &[]).await.unwrap_err().status, 503);
    assert_eq!(host.server.session_count(), 2);
    drop(first);
    testkit::settle().await;
    sid(&get(&host.net, &[]).await);
    host.end().await;
}

/// The bound holds also for handshakes that wait for a decision at the same time.
#[tokio::test(start_paused = true)]
async fn sessions_are_bounded_when_they_are_opened_together() {
    let mut options = Options::default();
    options.max_sessions = Some(2);
    options.set_allow_request(async |_: Request| {
        tokio::time::sleep(s(1)).await;
        Ok(())
    });
    let host = Host::echo(options);
    let opening: Vec<_> = (0..5)
        .map(|_| {
            let net = host.net.clone();
            tokio::spawn(async move { get(&net, &[]).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for open in opening {
        statuses.push(open.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 503, 503, 503]);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn transports_can_be_switched_off() {
    let mut options = Options::default();
    options.transports = vec![TransportKind::Polling];
    let host = Host::echo(options);
    let client = Polling::open(&host.net, Eio::V4, "").await;
    assert_eq!(client.handshake()["upgrades"], json!([]));
    // Node: without the transport an upgrade request is a plain one
    let target = host.net.target(Eio::V4, "websocket", "");
    let refused = WebSocket::connect(&host.net, &target, &[]).await.unwrap_err();
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json(), json!({"code": 0, "message": "Transport unknown"}));
    host.end().await;

    let mut options = Options::default();
    options.transports = vec![TransportKind::WebSocket];
    let host = Host::echo(options);
    let response = get(&host.net, &[]).await;
    assert_eq!(response.json(), json!({"code": 0, "message": "Transport unknown"}));
    open_websocket(&host.net, Eio::V4, "").await;
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_path_can_be_chosen() {
    for path in ["/a/b", "/a/b/"] {
        let mut options = Options::default();
        options.path = path.to_owned();
        let host = Host::echo(options);
        Polling::open(&host.net.clone().with_path("/a/b/"), Eio::V4, "").await;
        assert_eq!(get(&host.net, &[]).await.status, 404);
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn times_and_sizes_are_told_to_the_client() {
    let mut options = Options::default();
    options.ping_interval = ms(1234);
    options.ping_timeout = ms(567);
    options.max_http_buffer_size = 89;
    let host = Host::echo(options);
    let open = open_websocket(&host.net, Eio::V3, "").await.1;
    assert_eq!(open["pingInterval"], 1234);
    assert_eq!(open["pingTimeout"], 567);
    assert_eq!(open["maxPayload"], 89);
    host.end().await;
}

/// What would never match a request, or be ignored by a browser, is told when the server is made.
#[test]
fn options_that_are_of_no_use() {
    #[track_caller]
    fn check(change: impl FnOnce(&mut Options), named: Option<(&str, &str)>) {
        let mut options = Options::default();
        change(&mut options);
        match (Server::new(options), named) {
            (Ok(_), None) => {}
            (Err(error @ OptionsError::Unusable { .. }), Some((option, value))) => {
                let error = error.to_string();
                assert!(error.starts_with(&format!("option {option}: {value:?}: ")), "{error}");
            }
            (made, _) => panic!("{:?}", made.map(|_| ())),
        }
    }
    for path in [
        "/with space",
        "/café",
        "/tab\t",
        "/a\"b",
        "/a<b",
        "/a{b}",
        "/a\\b",
        "/a/../b",
        "/./a",
        "/..",
        "/a/%2e%2E/b",
    ] {
        check(|o| o.path = path.to_owned(), Some(("path", path)));
    }
    for path in ["/", "/a/b/", "/with%20space", "/caf%C3%A9", "/a..b/...", "/A:@!$&'()*+,;=~_-|[]"]
    {
        check(|o| o.path = path.to_owned(), None);
    }
    let cookie = |change: &dyn Fn(&mut Cookie)| {
        let mut cookie = Cookie::default();
        change(&mut cookie);
        Some(cookie)
    };
    let some = |text: &str| Some(text.to_owned());
    let path = cookie(&|c| c.path = some("app"));
    check(|o| o.cookie = path, Some(("cookie", "app")));
    let domain = cookie(&|c| c.domain = some("a.test;b"));
    let mut options = Options::default();
    options.cookie = domain;
    assert_eq!(Server::new(options).unwrap_err(), OptionsError::Cookie("io".into()));
    let insecure = cookie(&|c| c.same_site = Some(SameSite::None));
    check(|o| o.cookie = insecure, Some(("cookie", "None")));
    let secure = cookie(&|c| (c.same_site, c.secure) = (Some(SameSite::None), true));
    check(|o| o.cookie = secure, None);
    let partitioned = cookie(&|c| c.partitioned = true);
    check(|o| o.cookie = partitioned, Some(("cookie", "Partitioned")));
    let of_subdomains = cookie(&|c| {
        (c.name, c.secure, c.domain) = ("__Host-io".to_owned(), true, some("a.test"));
    });
    check(|o| o.cookie = of_subdomains, Some(("cookie", "__Host-io")));
    for (name, secure, path, is_of_use) in [
        ("__Secure-io", false, "/", false),
        ("__Secure-io", true, "/a", true),
        ("__Host-io", false, "/", false),
        ("__Host-io", true, "/a", false),
        ("__Host-io", true, "/", true),
    ] {
        let mut cookie = Cookie::named(name);
        (cookie.secure, cookie.path) = (secure, some(path));
        check(|o| o.cookie = Some(cookie), (!is_of_use).then_some(("cookie", name)));
    }
}

#[test]
fn options_that_make_no_sense() {
    #[track_caller]
    fn check(change: impl FnOnce(&mut Options), expected: &OptionsError) {
        let mut options = Options::default();
        change(&mut options);
        assert_eq!(&Server::new(options).unwrap_err(), expected);
    }
    check(|o| o.path = "x".into(), &OptionsError::Path("x".into()));
    check(|o| o.path = "/x?y".into(), &OptionsError::Path("/x?y".into()));
    check(|o| o.transports.clear(), &OptionsError::Zero("transports"));
    let proxies = vec!["::1".to_owned(), "proxy.test".to_owned()];
    check(|o| o.trusted_proxies = proxies, &OptionsError::TrustedProxies("proxy.test".into()));
    check(|o| o.max_connections = Some(0), &OptionsError::Zero("max_connections"));
    check(|o| o.max_sessions = Some(0), &OptionsError::Zero("max_sessions"));
    check(|o| o.ping_interval = ms(0), &OptionsError::Zero("ping_interval"));
    check(|o| o.write_timeout = std::time::Duration::MAX, &OptionsError::TooLong("write_timeout"));
    check(|o| o.cookie = Some(Cookie::named("a b")), &OptionsError::Cookie("a b".into()));
    check(|o| o.keep_alive_timeout = ms(0), &OptionsError::Zero("keep_alive_timeout"));
    check(|o| o.max_packets_per_poll = Some(0), &OptionsError::Zero("max_packets_per_poll"));
    let connections = OptionsError::Zero("max_connections_per_address");
    check(|o| o.max_connections_per_address = Some(0), &connections);
}

/// The address of the peer is the test's own, 203.0.113.7.
#[tokio::test(start_paused = true)]
async fn trusted_proxies_say_who_the_client_is() {
    for (proxy, address, is_secure) in
        [("203.0.113.0/24", "192.0.2.1:0", true), ("203.0.114.0/24", "203.0.113.7:5000", false)]
    {
        let mut options = Options::default();
        options.trusted_proxies = vec![proxy.to_owned()];
        options.set_allow_request(move |request: Request| -> Result<(), Refused> {
            // those who decide see it, too
            match request.remote_addr().map(|addr| addr.to_string()).as_deref() {
                Some(found) if found == address => Ok(()),
                other => Err(Refused::with(format!("{other:?}"))),
            }
        });
        let host = Host::echo(options);
        let net = host.net.clone().with_header("X-Forwarded-For", "198.51.100.1, 192.0.2.1");
        let net = net.with_header("X-Forwarded-Proto", "https");
        Polling::open(&net, Eio::V4, "").await;
        let socket = host.socket();
        assert_eq!(socket.remote_addr(), Some(address.parse().unwrap()));
        assert_eq!(socket.request().peer_addr(), Some(([203, 0, 113, 7], 5000).into()));
        assert_eq!(socket.request().is_secure(), is_secure);
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn large_answers_are_compressed() {
    let host = Host::silent(Options::default());
    let net = host.net.clone().with_header("Accept-Encoding", "deflate, gzip;q=0.9");
    let mut client = Polling::open(&net, Eio::V4, "").await;
    host.say("short");
    let response = client.poll_response().await;
    assert_eq!((response.header("content-encoding"), response.text()), (None, "4short"));
    let long = "long ".repeat(300);
    host.say(&long);
    let response = client.poll_response().await;
    assert_eq!(response.header("content-encoding"), Some("deflate"));
    assert_eq!(response.header("vary"), Some("Accept-Encoding"));
    assert!(response.body.len() < 100);
    let mut text = String::new();
    flate2::read::ZlibDecoder::new(&response.body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, format!("4{long}"));
    // unless every packet asks not to be
    let mut buffer = vec![0; engineio::HEADROOM];
    buffer.extend_from_slice(long.as_bytes());
    let plain = Outgoing::message(buffer, engineio::HEADROOM, Vec::new()).compress(false);
    let _ = host.socket().push(plain.clone());
    assert_eq!(client.poll_response().await.header("content-encoding"), None);

    // scripts too, and gzip where it is preferred
    let net = host.net.clone().with_header("Accept-Encoding", "gzip, deflate");
    let mut client = Polling::open(&net, Eio::V3, "j=1").await;
    host.say(&long);
    let response = client.poll_response().await;
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&response.body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, format!("___eio[1](\"1501:4{long}\");"));
    host.end().await;

    let mut options = Options::default();
    options.http_compression = None;
    let host = Host::silent(options);
    let net = host.net.clone().with_header("Accept-Encoding", "gzip");
    let mut client = Polling::open(&net, Eio::V4, "").await;
    host.socket().send(Message::Text(&long)).unwrap();
    assert_eq!(client.poll_response().await.header("content-encoding"), None);
    host.end().await;
}
