//! Long polling: the requests of one echo, with hyper's part in them and that of the runtime. The
//! client's reads and writes are counted, too.

use std::io::{Error, ErrorKind};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Case;
use crate::dispatch::Host;

pub(crate) const CASES: &[Case] =
    &[Case { name: "polling/emit", count: 200, run: |n| run(n).expect("answers") }];

/// Each time a poll, and a POST with an event whose answer the poll gets.
fn run(n: u32) -> std::io::Result<()> {
    let host = Host::new();
    host.runtime.block_on(async {
        let mut gets = TcpStream::connect(host.address).await?;
        let mut posts = TcpStream::connect(host.address).await?;
        let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let post = |target: &str, body: &str| {
            let length = body.len();
            format!(
                "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n\
                 Content-Length: {length}\r\n\r\n{body}"
            )
        };
        let target = "/socket.io/?EIO=4&transport=polling";
        let open = ask(&mut gets, &get(target), "}").await?;
        let sid = open.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let target = format!("{target}&sid={}", sid.ok_or(ErrorKind::InvalidData)?);
        ask(&mut posts, &post(&target, "40"), "ok").await?;
        ask(&mut gets, &get(&target), "}").await?;
        let (get, post) = (get(&target), post(&target, r#"42["emit",7]"#));
        for _ in 0..n {
            gets.write_all(get.as_bytes()).await?;
            ask(&mut posts, &post, "ok").await?;
            ask(&mut gets, "", r#"42["emit",7]"#).await?;
        }
        Ok(())
    })
}

/// Sends a request and reads an answer with this end.
async fn ask(stream: &mut TcpStream, request: &str, end: &str) -> std::io::Result<String> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::with_capacity(1024);
    while !answer.ends_with(end.as_bytes()) {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    String::from_utf8(answer).map_err(Error::other)
}
