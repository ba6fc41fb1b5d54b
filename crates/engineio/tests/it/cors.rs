//! CORS headers of polling answers.

use engineio::{Cors, Options, Origins};
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
