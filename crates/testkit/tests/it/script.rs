//! A server that reads what it expects and writes what it was told.

use std::sync::Mutex;

use socketio_testkit::{Connector, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

pub(crate) enum Step {
    Read(Vec<u8>),
    Write(Vec<u8>),
    HangUp,
}

pub(crate) fn read(bytes: impl AsRef<[u8]>) -> Step {
    Step::Read(bytes.as_ref().to_vec())
}

pub(crate) fn write(bytes: impl AsRef<[u8]>) -> Step {
    Step::Write(bytes.as_ref().to_vec())
}

/// Plays one script per connection. After its script a connection stays open.
pub(crate) fn server<const N: usize>(scripts: [Vec<Step>; N]) -> Connector {
    let scripts = Mutex::new(scripts.into_iter());
    Connector::new(move |stream| {
        let script = scripts.lock().unwrap().next().expect("a script for each connection");
        tokio::spawn(play(script, stream));
    })
}

async fn play(script: Vec<Step>, mut stream: DuplexStream) {
    for step in script {
        match step {
            Step::Read(expected) => {
                let mut found = vec![0; expected.len()];
                stream.read_exact(&mut found).await.unwrap();
                assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(&expected));
            }
            Step::Write(bytes) => stream.write_all(&bytes).await.unwrap(),
            Step::HangUp => return,
        }
    }
    stream.read_to_end(&mut Vec::new()).await.unwrap();
}

pub(crate) fn get(target: &str) -> Step {
    read(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n"))
}

pub(crate) fn post(target: &str, kind: &str, body: &str) -> Step {
    let size = body.len();
    read(format!(
        "POST {target} HTTP/1.1\r\nContent-Type: {kind}\r\nHost: test\r\n\
         Content-Length: {size}\r\n\r\n{body}"
    ))
}

pub(crate) fn ok(body: &str) -> Step {
    write(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

/// The handshake of a WebSocket, request and response.
pub(crate) fn websocket(target: &str) -> Vec<Step> {
    vec![
        read(format!(
            "GET {target} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Host: test\r\n\r\n"
        )),
        write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        ),
    ]
}

/// What the client sends: masked.
pub(crate) fn hear(text: &str) -> Step {
    read(frame(true, 1, Some([0x11, 0x22, 0x33, 0x44]), text.as_bytes()))
}

pub(crate) fn hear_binary(content: &[u8]) -> Step {
    read(frame(true, 2, Some([0x11, 0x22, 0x33, 0x44]), content))
}

/// What the server sends: not masked.
pub(crate) fn say(text: &str) -> Step {
    write(frame(true, 1, None, text.as_bytes()))
}

pub(crate) fn say_binary(content: &[u8]) -> Step {
    write(frame(true, 2, None, content))
}
