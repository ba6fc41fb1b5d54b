//! A process that is asked to end by signals. The process is this test's own program, started again
//! for [`child`].

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use socketio::{Server, Socket};
use testkit::{Client, Connector, Eio, WebSocket, open_websocket};

/// Longer than a test waits for anything.
const WITHIN: Duration = Duration::from_secs(120);

/// Not a test: the server that the tests of this module start.
#[tokio::test]
#[ignore = "started by the tests of this module"]
async fn child() {
    let io = Server::new();
    io.on_connection(|socket: Socket| {
        socket.on_disconnect(|| println!("disconnected"));
        socket.emit("welcome", "you")
    });
    let ended = io.close_on_signal(WITHIN).unwrap();
    let attached = io.listen("127.0.0.1:0").await.unwrap();
    println!("listening on {}", attached.local_addr());
    ended.await;
    println!("ended");
}

/// A server in a process of its own, which ends with the test.
struct Process {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
    net: Connector,
}

impl Process {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "signals::child", "--ignored", "--nocapture", "--test-threads=1"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "it ended before it listened");
            if let Some(address) = line.trim().split("listening on ").nth(1) {
                break address.parse().unwrap();
            }
        };
        Self { child, lines, net: Connector::tcp(address) }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([format!("-{name}"), pid]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end; what it said since it listened.
    async fn end(mut self) -> (ExitStatus, String) {
        let waiting = tokio::task::spawn_blocking(move || {
            let mut rest = String::new();
            // to the end of its output, which is its own
            let _ = self.lines.read_to_string(&mut rest);
            (self.child.wait().unwrap(), rest)
        });
        waiting.await.unwrap()
    }
}

/// A client that joined, and does not answer the close frame.
async fn stalled(net: &Connector) -> WebSocket {
    let mut client = open_websocket(net, Eio::V4, "").await.0;
    client.send_text("40").await;
    client.next().await;
    client.expect_text(r#"42["welcome","you"]"#).await;
    client
}

#[tokio::test]
async fn the_first_signal_ends_the_server_in_good_order() {
    for signal in ["TERM", "INT"] {
        let process = Process::start();
        let mut client = Client::connect(&process.net).await;
        assert_eq!(client.next_event().await.name, "welcome");
        process.signal(signal);
        client.closed().await;
        drop(client);
        let (status, said) = process.end().await;
        assert!(status.success(), "{signal}: {said}");
        assert!(said.contains("disconnected\nended\n"), "{signal}: {said}");
    }
}

#[tokio::test]
async fn the_second_signal_ends_it_at_once() {
    let mut process = Process::start();
    let mut client = stalled(&process.net).await;
    process.signal("TERM");
    client.expect_close().await;
    // told and not answered: it waits
    assert!(process.child.try_wait().unwrap().is_none());
    let start = Instant::now();
    process.signal("TERM");
    let (status, said) = process.end().await;
    assert!(status.success(), "{said}");
    assert!(said.contains("disconnected\nended\n"), "{said}");
    // `close_timeout` would end it after 30 s
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    drop(client);
}
