//! Who decides about handshakes says `Ok` or `Err`.

use socketio::serve::Request;
use socketio::Server;

fn main() {
    let _ = Server::builder().allow_request(|request: Request| request.query().contains("token"));
}
