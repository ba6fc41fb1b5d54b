//! The floors of the benchmark: what a server costs that does next to nothing.
//!
//! `floors KIND PORT`. Over WebSocket a message is echoed, but one that begins with `B` goes to
//! every connection.

mod direct;
mod epoll;
mod frame;
mod lean;
mod polling;

use std::io;
use std::process::ExitCode;

use tokio::net::{TcpListener, TcpStream};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(kind), Some(Ok(port))) =
        (arguments.next(), arguments.next().map(|port| port.parse::<u16>()))
    else {
        return usage();
    };
    let result = match kind.as_str() {
        "epoll" => epoll::run(port),
        "mini" => listen(port, |stream| drop(tokio::spawn(direct::serve(stream)))),
        "hyper-lean" => listen(port, |stream| drop(tokio::spawn(lean::serve(stream)))),
        "hyper-poll" => listen(port, |stream| drop(tokio::spawn(polling::serve(stream)))),
        _ => return usage(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floors: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn listen(port: u16, spawn: fn(TcpStream)) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        spawn(stream);
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: floors epoll|mini|hyper-lean|hyper-poll PORT");
    ExitCode::from(2)
}
