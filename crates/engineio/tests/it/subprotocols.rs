//! The subprotocol of a WebSocket.

use engineio::{Options, Request, Subprotocols};
use testkit::{Connector, Eio, Polling, WebSocket};

use crate::host::Host;

/// What a client that makes these offers gets: by each way to a WebSocket.
async fn selected(host: &Host, eio: Eio, offers: &[&str]) -> Vec<Result<Option<String>, u16>> {
    let net: &Connector = &host.net;
    let direct = net.target(eio, "websocket", "from=here");
    let polling = Polling::open(net, eio, "").await;
    let upgrade = polling.target().replace("transport=polling", "transport=websocket&from=here");
    let headers: Vec<_> = offers.iter().map(|offer| ("Sec-WebSocket-Protocol", *offer)).collect();
    let mut all = Vec::new();
    for target in [direct, upgrade] {
        all.push(match WebSocket::connect(net, &target, &headers).await {
            Ok(websocket) => {
                let names = websocket.response().headers_named("sec-websocket-protocol");
                assert!(names.len() <= 1);
                Ok(names.first().map(|name| (*name).to_owned()))
            }
            Err(response) => Err(response.status),
        });
    }
    all
}

#[track_caller]
fn host(subprotocols: Subprotocols) -> Host {
    let mut options = Options::default();
    options.subprotocols = subprotocols;
    Host::silent(options)
}

/// What is offered, line by line, and what is selected of it, or the status of a refusal.
type Case<'a> = (&'a [&'a str], Result<Option<&'a str>, u16>);

async fn check(host: &Host, cases: &[Case<'_>]) {
    for eio in [Eio::V3, Eio::V4] {
        for (offers, expected) in cases {
            let expected = expected.map(|name| name.map(str::to_owned));
            let all = selected(host, eio, offers).await;
            assert_eq!(all, [expected.clone(), expected], "{offers:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_is_selected() {
    let host = Host::silent(Options::default());
    let cases: [Case<'_>; 10] = [
        (&[], Ok(None)),
        (&["chat"], Ok(Some("chat"))),
        (&["v2.chat , chat"], Ok(Some("v2.chat"))),
        // several lines are one list
        (&["b, c", "a"], Ok(Some("b"))),
        (&["b, c", "b"], Err(400)),
        (&["chat, chat"], Err(400)),
        (&[""], Err(400)),
        (&["a,,b"], Err(400)),
        (&["a b"], Err(400)),
        (&["\"a\""], Err(400)),
    ];
    check(&host, &cases).await;
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn one_of_a_list_is_selected() {
    let host = host(Subprotocols::list(["two", "one"]).unwrap());
    let cases: [Case<'_>; 4] = [
        (&["zero, one, two"], Ok(Some("one"))),
        (&["ONE, two"], Ok(Some("two"))),
        (&["zero"], Ok(None)),
        (&["one, one"], Err(400)),
    ];
    check(&host, &cases).await;
    host.end().await;
    assert!(Subprotocols::list(Vec::<String>::new()).is_err());
    for wrong in ["", "a b", "a,b", "é", "a/b"] {
        let error = Subprotocols::list(["fine", wrong]).unwrap_err().to_string();
        assert!(error.contains(&format!("{wrong:?}")), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn none_is_selected() {
    let host = host(Subprotocols::none());
    check(&host, &[(&["a, b"], Ok(None)), (&["a, a"], Err(400))]).await;
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_function_selects() {
    let sync = Subprotocols::choose(|offers: Vec<String>, request: Request| {
        assert!(request.query().contains("from=here"));
        match offers[0].as_str() {
            "panic" => panic!("on purpose"),
            "strange" => Some("something\r\nelse".to_owned()),
            _ => offers.into_iter().next_back(),
        }
    });
    let waits = Subprotocols::choose(async |offers: Vec<String>, _: Request| {
        tokio::task::yield_now().await;
        offers.into_iter().next_back()
    });
    let both = host(sync);
    let cases: [Case<'_>; 3] = [
        (&["a, b"], Ok(Some("b"))),
        // the client did not offer it
        (&["strange"], Ok(None)),
        (&["panic"], Err(500)),
    ];
    check(&both, &cases).await;
    both.end().await;
    let host = host(waits);
    check(&host, &[(&["a, b"], Ok(Some("b")))]).await;
    host.end().await;
}
