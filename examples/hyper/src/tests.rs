use serde_json::json;
use socketio_testkit::{Client, Closed, Connector, Eio, HttpConnection, Request, Transport};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::{serve, server};

#[tokio::test]
async fn an_echo_until_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (end, ended) = oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let ended = async {
            let _ = ended.await;
        };
        serve::serve(&server(), listener, ended).await;
    });
    let net = Connector::tcp(address);
    let mut clients = Vec::new();
    for eio in Eio::BOTH {
        for transport in [Transport::WebSocket, Transport::Polling, Transport::Upgrade] {
            let client = Client::builder().protocol(eio).transport(transport);
            let mut client = client.connect(&net).await.unwrap();
            client.emit("echo", json!(["hello"])).await;
            let event = client.next_event().await;
            assert_eq!((&*event.name, &*event.args_as::<String>()), ("echo", "hello"));
            clients.push(client);
        }
    }
    // a connection that is kept for a further request
    let mut idle = HttpConnection::open(&net);
    assert_eq!(idle.request(&Request::get("/elsewhere")).await.status, 404);

    end.send(()).unwrap();
    for mut client in clients {
        let closed = client.closed().await;
        assert!(matches!(closed, Closed::Namespace | Closed::Connection));
    }
    idle.read_to_end().await;
    serving.await.unwrap();
    TcpListener::bind(address).await.expect("the port is free");
}
