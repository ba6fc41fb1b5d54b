use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::json;
use socketio::Server;
use socketio::serve::Attached;
use socketio_testkit::{Client, Connector, Eio, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use crate::app;
use crate::certificate::SelfSigned;
use crate::listener::TlsListener;

async fn start() -> (Server, Attached, Connector) {
    let certificate = SelfSigned::new().unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let io = app::server();
    let attached = io.attach(TlsListener::new(tcp, certificate.server_config().unwrap())).unwrap();
    let connector = connector(attached.local_addr(), &certificate);
    (io, attached, connector)
}

/// Clients over TLS that trust the certificate.
fn connector(address: SocketAddr, certificate: &SelfSigned) -> Connector {
    let tls = TlsConnector::from(Arc::new(certificate.client_config()));
    Connector::new(move |mut ours| {
        let tls = tls.clone();
        tokio::spawn(async move {
            let tcp = TcpStream::connect(address).await.unwrap();
            let name = "localhost".try_into().unwrap();
            let mut theirs = tls.connect(name, tcp).await.unwrap();
            // an error is the end of the connection, which the client sees
            let _ = tokio::io::copy_bidirectional(&mut ours, &mut theirs).await;
        });
    })
}

async fn expect_echo(server: &Connector, eio: Eio, transport: Transport) {
    let client = Client::builder().protocol(eio).transport(transport);
    let mut client = client.connect(server).await.unwrap();
    assert_eq!(client.emit_with_ack_as::<String>("echo", json!(["hello"])).await, "hello");
    assert!(client.emit_with_ack_as::<bool>("secure", json!([])).await);
    // more than one record
    let long = "long ".repeat(20_000);
    assert_eq!(client.emit_with_ack_as::<String>("echo", json!([long])).await, long);
}

#[tokio::test]
async fn an_echo_over_tls() {
    let (io, _, server) = start().await;
    for eio in Eio::BOTH {
        for transport in [Transport::WebSocket, Transport::Polling, Transport::Upgrade] {
            expect_echo(&server, eio, transport).await;
        }
    }
    io.close().await;
}

#[tokio::test]
async fn a_slow_peer_holds_up_nobody() {
    let (io, attached, server) = start().await;
    let address = attached.local_addr();
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut slow = TcpStream::connect(address).await.unwrap();
    // the head of a handshake record, and no more
    slow.write_all(&[22, 3, 1]).await.unwrap();
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET /socket.io/ HTTP/1.1\r\n\r\n").await.unwrap();
    expect_echo(&server, Eio::V4, Transport::WebSocket).await;
    // who does not speak TLS is told so by an alert, and gets no answer
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    // the end of the server waits for neither
    io.close().await;
    let mut rest = Vec::new();
    let _ = silent.read_to_end(&mut rest).await;
    let _ = slow.read_to_end(&mut rest).await;
    assert!(rest.is_empty(), "{rest:?}");
    attached.closed().await;
}
