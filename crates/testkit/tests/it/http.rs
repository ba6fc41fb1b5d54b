use socketio_testkit::{HttpConnection, Request, request};

use crate::script::{Step, get, ok, read, server, write};

#[tokio::test(start_paused = true)]
async fn a_request_is_answered() {
    let server = server([vec![
        read("POST /x?y HTTP/1.1\r\nCookie: a=b\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc"),
        write("HTTP/1.1 403 Forbidden\r\nset-cookie: a\r\nSet-Cookie: b\r\n"),
        write("Content-Length: 10\r\n\r\n{\"code\":4}"),
    ]]);
    let response = request(&server, Request::post("/x?y", "abc").header("Cookie", "a=b")).await;
    assert_eq!(response.status, 403);
    assert_eq!(response.headers_named("Set-Cookie"), ["a", "b"]);
    assert_eq!(response.header("absent"), None);
    assert_eq!(response.json()["code"], 4);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_and_bodies_end_in_three_ways() {
    let server = server([vec![
        get("/length"),
        ok("one"),
        read("HEAD /none HTTP/1.1\r\nHost: test\r\n\r\n"),
        write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"),
        read("pipelined"),
        write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ntw\r\n1;x=y\r\n"),
        write("o\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\nthree"),
        Step::HangUp,
    ]]);
    // The smallest pieces: nothing may depend on what arrives together.
    let mut connection = HttpConnection::open(&server.with_capacity(1));
    assert_eq!(connection.request(&Request::get("/length")).await.text(), "one");
    assert_eq!(connection.request(&Request::new("HEAD", "/none")).await.text(), "");
    connection.send(b"pipelined").await;
    assert_eq!(connection.read_response().await.text(), "two");
    assert_eq!(connection.read_response().await.status, 204);
    assert_eq!(connection.read_response().await.text(), "three");
    assert_eq!(connection.read_to_end().await, "");
}

#[tokio::test(start_paused = true)]
async fn a_response_may_come_before_the_body_is_taken() {
    let response = "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n";
    let server = server([vec![read("POST "), write(response), Step::HangUp]]);
    let response = request(&server, Request::post("/", vec![b'x'; 1 << 20])).await;
    assert_eq!(response.status, 413);
}

#[tokio::test(start_paused = true)]
async fn silence_is_told_with_the_line_that_waited() {
    let mut connection = HttpConnection::open(&server([vec![get("/")]]));
    let line = line!() + 2;
    let outcome = tokio::spawn(async move {
        connection.request(&Request::get("/")).await;
    });
    let panic = outcome.await.expect_err("nothing answers").into_panic();
    let message = panic.downcast_ref::<String>().expect("a message");
    assert!(message.contains(&format!("http.rs:{line}:")), "{message}");
    assert!(message.ends_with("waiting for an HTTP response: nothing for 5s"), "{message}");
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "waiting for an HTTP response: the server ended the connection")]
async fn an_early_end_is_told() {
    let server = server([vec![
        get("/"),
        write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"),
        Step::HangUp,
    ]]);
    request(&server, Request::get("/")).await;
}
