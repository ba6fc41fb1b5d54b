//! A number decides about no namespaces.

use socketio::Server;

fn main() {
    Server::new().of_matching(7);
}
