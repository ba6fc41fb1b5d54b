//! A sync rule gets the name; only an async one gets the whole candidate.

use socketio::namespaces::Candidate;
use socketio::Server;

fn main() {
    Server::new().of_matching(|candidate: Candidate| candidate.name == "/chat");
}
