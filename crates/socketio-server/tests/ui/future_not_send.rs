//! An async handler holds an `Rc` while it waits.

use std::rc::Rc;

use socketio::{Data, Server, Socket};

fn main() {
    Server::new().on_connection(|socket: Socket| {
        socket.on("count", async |Data(n): Data<u32>| {
            let n = Rc::new(n);
            tokio::task::yield_now().await;
            println!("{n}");
        });
    });
}
