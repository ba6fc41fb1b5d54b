use std::time::Duration;

use socketio_testkit::{Connector, Request, Throttled, pair, request, settle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[tokio::test(start_paused = true)]
async fn a_throttled_stream_lets_a_few_bytes_through() {
    let (mut client, server) = pair(64);
    let mut server = Throttled::new(server, 3);
    client.write_all(b"abcde").await.unwrap();
    let mut buffer = [0; 16];
    assert_eq!(server.read(&mut buffer).await.unwrap(), 3);
    assert_eq!(server.read(&mut buffer).await.unwrap(), 2);
    assert_eq!(server.write(b"abcde").await.unwrap(), 3);
    server.write_all(b"de").await.unwrap();
    server.shutdown().await.unwrap();
    let mut all = Vec::new();
    client.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, b"abcde");
}

#[tokio::test(start_paused = true)]
async fn a_throttled_stream_rests_between_pieces() {
    let (mut client, server) = pair(64);
    let mut server = Throttled::new(server, 1);
    client.write_all(b"ab").await.unwrap();
    server.read_u8().await.unwrap();
    // A timeout of zero polls once.
    assert!(tokio::time::timeout(Duration::ZERO, server.read_u8()).await.is_err());
    assert_eq!(server.read_u8().await.unwrap(), b'b');
}

#[tokio::test(start_paused = true)]
async fn what_can_run_runs() {
    let task = tokio::spawn(async {
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    });
    settle().await;
    assert!(task.is_finished());
}

#[tokio::test]
async fn tcp_is_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Connector::tcp(listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 16]).await.unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    });
    assert_eq!(request(&server, Request::get("/")).await.status, 204);
}
