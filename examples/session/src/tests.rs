use std::net::{IpAddr, SocketAddr};

use serde_json::json;
use socketio_testkit::{Client, ConnectError, Connector, Eio, Request, Transport, request};

use crate::app;

/// The way to a new server for connections from `peer`, and the cookie of one who has logged in.
async fn start(peer: &str) -> (Connector, String) {
    let (io, service) = app::server().unwrap();
    let peer = SocketAddr::new(peer.parse::<IpAddr>().unwrap(), 4000);
    let server = Connector::of_service(&io, service).with_peer(peer);
    let answer = request(&server, Request::post("/login", "alice")).await;
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    (server, cookie)
}

/// The name, the address, and whether the connection is secure.
type Known = (String, String, bool);

async fn whoami(server: &Connector, eio: Eio, transport: Transport) -> Known {
    let client = Client::builder().protocol(eio).transport(transport).connect(server).await;
    client.unwrap().emit_with_ack_as("whoami", json!([])).await
}

/// What the server knows of a client from `peer` behind these headers.
async fn check(peer: &str, headers: &[(&str, &str)], address: &str, is_secure: bool) {
    let (server, cookie) = start(peer).await;
    let mut server = server.with_header("Cookie", &format!("theme=dark; {cookie}"));
    for (name, value) in headers {
        server = server.with_header(name, value);
    }
    let expected = ("alice".to_owned(), address.to_owned(), is_secure);
    for eio in Eio::BOTH {
        for transport in [Transport::WebSocket, Transport::Polling, Transport::Upgrade] {
            assert_eq!(whoami(&server, eio, transport).await, expected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_proxy() {
    check("127.0.0.1", &[], "127.0.0.1", false).await;
    check("203.0.113.7", &[], "203.0.113.7", false).await;
}

#[tokio::test(start_paused = true)]
async fn behind_the_proxy() {
    let spoofed = ("X-Forwarded-For", "6.6.6.6, 192.0.2.1");
    check("127.0.0.1", &[spoofed, ("X-Forwarded-Proto", "https")], "192.0.2.1", true).await;
    let standard = ("Forwarded", "for=\"[2001:db8::1]:5\";proto=https");
    check("::1", &[standard], "2001:db8::1", true).await;
}

#[tokio::test(start_paused = true)]
async fn a_stranger_is_no_proxy() {
    let headers = [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Proto", "https")];
    check("203.0.113.7", &headers, "203.0.113.7", false).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_session() {
    let (server, cookie) = start("127.0.0.1").await;
    let longer = format!("{cookie}x");
    for cookies in ["", "session", "session=", "theme=dark", "xsession=1", longer.as_str(), "=;;="]
    {
        let server = server.clone().with_header("Cookie", cookies);
        for eio in Eio::BOTH {
            let refused = Client::builder().protocol(eio).connect(&server).await;
            let Err(ConnectError::Namespace(said)) = refused else { panic!("{cookies}: let in") };
            let expected = match eio {
                Eio::V3 => json!("log in first"),
                Eio::V4 => json!({"message": "log in first"}),
            };
            assert_eq!(said, expected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn other_sites_are_kept_out() {
    let (server, cookie) = start("127.0.0.1").await;
    let server = server.with_header("Cookie", &cookie).with_header("Origin", "https://evil.test");
    let refused = Client::builder().connect(&server).await;
    let Err(ConnectError::Handshake(answer)) = refused else { panic!("let in") };
    assert_eq!(answer.status, 403);
}
