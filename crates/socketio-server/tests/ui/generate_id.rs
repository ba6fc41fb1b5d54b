//! An id is a `String`.

use socketio::serve::Request;
use socketio::Server;

fn main() {
    let _ = Server::builder().generate_id(|_: Request| 7);
}
