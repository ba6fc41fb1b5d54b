//! A shared whiteboard whose page is written in TypeScript: both sides are checked against one contract,
//! `contract.rs`. `cargo xtask typed` builds the page and runs it.
//!
//! `typed [--port N]` serves; `typed contract ..` is the command of the contract, for build scripts of the
//! page, see `page/package.json`.

#![expect(clippy::needless_pass_by_value, reason = "handlers own their arguments")]

mod board;
mod contract;
mod page;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use socketio::emit::EmitError;
use socketio::{BoxError, Server, Socket, State};

use crate::board::Board;
use crate::contract::{JoinError, Joined, Point, Stroke, whiteboard};

/// The server's part of the contract.
struct Host;

impl whiteboard::FromClient for Host {
    fn join(
        &self,
        socket: Socket,
        State(board): State<Board>,
        name: String,
    ) -> Result<Joined, JoinError> {
        let (person, joined) = board.join(socket.id(), &name)?;
        told(whiteboard::to(socket.broadcast()).joined(&person));
        Ok(joined)
    }

    fn draw(&self, socket: Socket, State(board): State<Board>, stroke: Stroke) {
        if board.draw(socket.id(), stroke.clone()) {
            told(whiteboard::to(socket.broadcast()).drawn(&stroke));
        }
    }

    fn pointer(&self, socket: Socket, at: Point) {
        // who is busy sees it a little later
        told(whiteboard::to(socket.broadcast().volatile()).pointer(socket.id(), &at));
    }

    fn clear(&self, socket: Socket, State(board): State<Board>) {
        if let Some(name) = board.clear(socket.id()) {
            told(whiteboard::to(socket.broadcast()).cleared(&name));
        }
    }
}

fn leave(socket: Socket, State(board): State<Board>) {
    if let Some(person) = board.leave(socket.id()) {
        told(whiteboard::to(socket.broadcast()).left(&person.id));
    }
}

/// A broadcast fails only if it cannot be encoded, and this contract's can.
fn told(result: Result<(), EmitError>) {
    result.expect("what the contract declares can be encoded");
}

/// The server, without its page.
fn server() -> Result<Server, BoxError> {
    let io = Server::builder().with_state(Board::default()).build()?;
    whiteboard::serve(&io, Host);
    io.of(whiteboard::NAMESPACE).on_connection(|socket: Socket| {
        socket.on_disconnect(leave);
    });
    Ok(io)
}

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let port: u16 = match *arguments {
        [] => 3000,
        ["--port", port] => port.parse()?,
        ["contract", ref rest @ ..] => {
            return Ok(whiteboard::contract().command(rest.iter().map(|&word| word.to_owned())));
        }
        _ => return Err("usage: typed [--port N] | typed contract COMMAND".into()),
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("page/dist");
    let page = page::Page::read(&folder)
        .map_err(|error| format!("the page is not built, `cargo xtask typed` does it: {error}"))?;
    let io = server()?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let pages = whiteboard::contract().asyncapi_route("/asyncapi.json", page);
    let server = io.attach_service(listener, io.fallback(pages))?;
    println!("The whiteboard is open: http://{}/", server.local_addr());
    tokio::signal::ctrl_c().await?;
    io.close().within(Duration::from_secs(5)).await;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests;
