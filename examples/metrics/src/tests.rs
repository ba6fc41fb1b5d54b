use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;
use socketio::Server;
use socketio::observe::describe_metrics;
use socketio_testkit::{Client, Connector, Eio, Request, Transport, request, settle};

use crate::app::{self, App};

async fn get(server: &Connector, path: &str) -> (u16, String) {
    let answer = request(server, Request::get(path)).await;
    (answer.status, answer.text().to_owned())
}

#[tokio::test(start_paused = true)]
async fn metrics_and_sockets_on_one_port() {
    let prometheus = PrometheusBuilder::new().install_recorder().unwrap();
    describe_metrics();
    let io = Server::new();
    let router = app::router(App { io: io.clone(), prometheus });
    let server = Connector::of_service(&io, router);

    let mut one = Client::connect(&server).await;
    let two = Client::builder().protocol(Eio::V3).transport(Transport::Polling);
    let mut two = two.connect(&server).await.unwrap();
    one.emit("shout", json!(["hello"])).await;
    assert_eq!(two.next_event().await.name, "shout");

    let (status, text) = get(&server, "/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "# HELP socketio_sockets Connected sockets of all namespaces",
        "# TYPE engineio_sessions gauge",
        "engineio_sessions{transport=\"websocket\",protocol=\"4\"} 1",
        "engineio_sessions{transport=\"polling\",protocol=\"3\"} 1",
        "engineio_sessions_opened_total 2",
        "socketio_sockets 2",
        "socketio_sockets_connected_total 2",
        "socketio_sockets_disconnected_total{reason=\"ping timeout\"} 0",
    ] {
        assert!(text.lines().any(|there| there == line), "{line} is not in\n{text}");
    }

    assert_eq!(get(&server, "/ready").await.0, 200);
    let draining = tokio::spawn(io.drain(Duration::from_secs(1)).into_future());
    settle().await;
    assert_eq!(get(&server, "/ready").await.0, 503);
    assert!(get(&server, "/metrics").await.1.contains("\nengineio_draining 1\n"));
    one.closed().await;
    two.closed().await;
    drop((one, two));
    draining.await.unwrap();
    let (_, text) = get(&server, "/metrics").await;
    let line = "socketio_sockets_disconnected_total{reason=\"server shutting down\"} 2";
    assert!(text.lines().any(|there| there == line), "{text}");
}
