//! An id is a `String`.

use socketio::{Request, Server};

fn main() {
    let _ = Server::builder().generate_id(|_: Request| 7);
}
