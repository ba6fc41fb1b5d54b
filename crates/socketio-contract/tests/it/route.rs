//! The AsyncAPI document over HTTP.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use socketio::Server;
use socketio_contract::AsyncApiRoute;
use tower_service::Service;

use crate::chat::chat;

/// What is behind the route: answers with its own name.
#[derive(Clone)]
struct Page;

impl<B> Service<Request<B>> for Page {
    type Response = Response<Full<Bytes>>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        std::future::ready(Ok(Response::new(Full::new(Bytes::from_static(b"page")))))
    }
}

async fn ask(route: &mut AsyncApiRoute<Page>, method: &str, path: &str) -> Response<Bytes> {
    let request = Request::builder().method(method).uri(path).body(()).unwrap();
    let (head, body) = route.call(request).await.unwrap().into_parts();
    Response::from_parts(head, body.collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn one_path_is_the_document_and_all_others_are_not() {
    let contract = chat::contract();
    let mut route = contract.asyncapi_route("/asyncapi.json", Page);
    for method in ["GET", "HEAD"] {
        let answer = ask(&mut route, method, "/asyncapi.json?x=1").await;
        assert_eq!(answer.status(), StatusCode::OK);
        let content_type = "application/vnd.aai.asyncapi+json;version=3.0.0";
        assert_eq!(answer.headers()["content-type"], content_type);
        assert_eq!(*answer.body(), contract.asyncapi());
    }
    let answer = ask(&mut route, "POST", "/asyncapi.json").await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(
        (&answer.headers()["allow"], answer.body().len()),
        (&"GET, HEAD".parse().unwrap(), 0)
    );
    for path in ["/", "/asyncapi.jso", "/asyncapi.json/"] {
        assert_eq!(*ask(&mut route, "GET", path).await.body(), "page");
    }
}

#[tokio::test]
async fn it_is_served_beside_a_server() {
    let io = Server::new();
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await;
    let pages = chat::contract().asyncapi_route("/asyncapi.json", Page);
    let address = io.attach_service(listener.unwrap(), io.fallback(pages)).unwrap().local_addr();
    for (method, has_body) in [("GET", true), ("HEAD", false)] {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!(
            "{method} /asyncapi.json HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        );
        tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let document = chat::contract().asyncapi();
        assert!(head.contains(&format!("content-length: {}", document.len())), "{head}");
        assert_eq!(body, if has_body { &document } else { "" });
    }
}
