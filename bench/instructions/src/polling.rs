//! Long polling: the requests of one echo, with hyper's part in them and that of the runtime. The
//! client's reads and writes are counted, too.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::Case;
use crate::dispatch::Host;
use crate::http::{ask, get, open, post};

pub(crate) const CASES: &[Case] =
    &[Case { name: "polling/emit", count: 200, run: |n| run(n).expect("answers") }];

/// Each time a poll, and a POST with an event whose answer the poll gets.
fn run(n: u32) -> std::io::Result<()> {
    let host = Host::new();
    host.runtime.block_on(async {
        let mut gets = TcpStream::connect(host.address).await?;
        let mut posts = TcpStream::connect(host.address).await?;
        let target = open(&mut gets).await?;
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
