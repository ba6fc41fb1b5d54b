//! CORS headers of answers.

use engineio::{Cors, Options, Origins, Rate, Refused};
use testkit::{Eio, Polling, Request, Response, open_websocket, request};

use crate::host::Host;

/// The headers that matter here, in alphabetical order.
fn cors(response: &Response) -> Vec<String> {
    let mut headers: Vec<String> = response
        .headers
        .iter()
        .map(|(name, value)| format!("{}: {value}", name.to_ascii_lowercase()))
        .filter(|header| header.starts_with("access-control") || header.starts_with("vary"))
        .collect();
    headers.sort_unstable();
    headers
}

#[tokio::test(start_paused = true)]
async fn the_origin_is_echoed_with_credentials() {
    let host = Host::echo(Options::default());
    let echoed = [
        "access-control-allow-credentials: true",
        "access-control-allow-origin: http://page.test",
        "vary: Origin",
    ];
    let net = host.net.clone().with_header("Origin", "http://page.test");
    let mut client = Polling::open(&net, Eio::V4, "").await;
    let response = client.post_body("4x", "text/plain").await;
    assert_eq!((response.status, cors(&response)), (200, echoed.map(str::to_owned).to_vec()));
    let response = client.poll_response().await;
    assert_eq!((response.status, cors(&response)), (200, echoed.map(str::to_owned).to_vec()));
    let refused = Request::get(&host.net.target(Eio::V4, "polling", "sid=none"));
    let response = request(&host.net, refused.header("Origin", "http://page.test")).await;
    assert_eq!((response.status, cors(&response)), (400, echoed.map(str::to_owned).to_vec()));
    let websocket = open_websocket(&net, Eio::V4, "").await.0;
    assert_eq!(cors(websocket.response()), Vec::<String>::new());
    drop(websocket);
    // a client without an origin
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    client.post(["4x"]).await;
    assert_eq!(cors(&client.poll_response().await), ["access-control-allow-origin: *"]);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn preflights_are_answered() {
    let host = Host::echo(Options::default());
    let client = Polling::open(&host.net, Eio::V4, "").await;
    for target in [client.target(), host.net.target(Eio::V4, "polling", "")] {
        let preflight = Request::new("OPTIONS", &target)
            .header("Origin", "http://page.test")
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "x-token, content-type");
        let response = request(&host.net, preflight).await;
        assert_eq!((response.status, response.body.len()), (204, 0));
        assert_eq!(
            cors(&response),
            [
                "access-control-allow-credentials: true",
                "access-control-allow-headers: x-token, content-type",
                "access-control-allow-methods: GET,POST",
                "access-control-allow-origin: http://page.test",
                "vary: Access-Control-Request-Headers",
                "vary: Origin",
            ]
        );
    }
    // no preflight, but a session's request: as the reference
    let options = Request::new("OPTIONS", &client.target()).header("Origin", "http://page.test");
    let response = request(&host.net, options).await;
    assert_eq!((response.status, response.body.len()), (200, 0));
    assert_eq!(
        cors(&response),
        [
            "access-control-allow-credentials: true",
            "access-control-allow-headers: Content-Type",
            "access-control-allow-origin: http://page.test",
            "vary: Origin",
        ]
    );
    host.end().await;
}

/// Whatever the answer is: a page of another origin should be able to read why. A refused origin
/// is not named.
#[tokio::test(start_paused = true)]
async fn answers_of_all_kinds_carry_them() {
    let echoed = [
        "access-control-allow-credentials: true",
        "access-control-allow-origin: http://page.test",
        "vary: Origin",
    ];
    let mut options = Options::default();
    options.max_http_buffer_size = 10;
    options.max_sessions = Some(3);
    options.set_allow_request(|request: engineio::Request| {
        assert!(!request.query().contains("panic"), "on purpose");
        Ok::<(), Refused>(())
    });
    let host = Host::echo(options);
    let net = host.net.clone().with_header("Origin", "http://page.test");
    let target = |query: &str| host.net.target(Eio::V4, "polling", query);
    let session = || Polling::open(&net, Eio::V4, "");
    let (large, binary, used) = (session().await, session().await, session().await);
    let octets = ("Content-Type", "application/octet-stream");
    for (asked, status) in [
        (Request::get("/engine.io/?transport=none"), 400),
        (Request::get(&target("transport=websocket")), 400),
        (Request::new("PUT", &target("")), 400),
        (Request::new("PUT", &used.target()), 500),
        (Request::post(&large.target(), "4 more than ten"), 413),
        (Request::post(&binary.target(), "4").header(octets.0, octets.1), 400),
    ] {
        let answer = request(&host.net, asked.header("Origin", "http://page.test")).await;
        assert_eq!((answer.status, cors(&answer)), (status, echoed.map(str::to_owned).to_vec()));
    }
    for (query, status) in [("panic=1", 500), ("", 200), ("", 200), ("", 503)] {
        let asked = Request::get(&target(query)).header("Origin", "http://page.test");
        let answer = request(&host.net, asked).await;
        assert_eq!((answer.status, cors(&answer)), (status, echoed.map(str::to_owned).to_vec()));
    }
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_is_refused_is_not_named() {
    let mut options = Options::default();
    options.max_connect_rate_per_address = Some(Rate::new(1, std::time::Duration::from_secs(60)));
    options.origins =
        Origins::check(|_: String, _: engineio::Request| Err::<(), _>(Refused::forbidden()));
    let host = Host::echo(options);
    let asked = || {
        let target = host.net.target(Eio::V4, "polling", "");
        Request::get(&target).header("Origin", "http://page.test")
    };
    let answer = request(&host.net, asked()).await;
    assert_eq!((answer.status, cors(&answer)), (403, vec!["vary: Origin".to_owned()]));
    let answer = request(&host.net, asked()).await;
    assert_eq!((answer.status, cors(&answer).len()), (429, 3));
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_is_not_on_the_list_is_never_echoed() {
    let mut options = Options::default();
    options.origins = Origins::list("https://ok.test").unwrap();
    let host = Host::echo(options);
    let ok = host.net.clone().with_header("Origin", "https://ok.test");
    let client = Polling::open(&ok, Eio::V4, "").await;
    for origin in ["https://evil.test", "https://ok.test.evil.test", "null"] {
        for request_ in [
            Request::get(&host.net.target(Eio::V4, "polling", "")), // 403
            Request::get(&host.net.target(Eio::V4, "polling", "sid=none")), // 400
            Request::post(&client.target(), "4x"), // the id is known, how ever: 200
            Request::new("OPTIONS", &client.target())
                .header("Access-Control-Request-Method", "POST"),
        ] {
            let response = request(&host.net, request_.header("Origin", origin)).await;
            assert_eq!(cors(&response), ["vary: Origin"], "{origin}, {}", response.status);
        }
    }
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn cors_can_be_switched_off() {
    let mut options = Options::default();
    options.cors = Cors::Off;
    let host = Host::echo(options);
    let net = host.net.clone().with_header("Origin", "http://page.test");
    let mut client = Polling::open(&net, Eio::V4, "").await;
    client.post(["4x"]).await;
    assert_eq!(cors(&client.poll_response().await), Vec::<String>::new());
    let preflight = |target: &str| {
        Request::new("OPTIONS", target)
            .header("Origin", "http://page.test")
            .header("Access-Control-Request-Method", "POST")
    };
    let response = request(&host.net, preflight(&client.target())).await;
    assert_eq!((response.status, cors(&response)), (200, Vec::new()));
    let response = request(&host.net, preflight(&host.net.target(Eio::V4, "polling", ""))).await;
    assert_eq!((response.status, cors(&response)), (400, Vec::new()));
    host.end().await;
}
