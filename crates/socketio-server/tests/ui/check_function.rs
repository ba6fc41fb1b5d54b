//! `check_handler!` names what of a function's types does not fit.

use socketio::events::check_handler;
use socketio::{Data, Socket};

async fn add_user(_: Socket, _: String) {}

async fn age(_: Data<u8>) -> u8 {
    7
}

fn main() {
    let _ = check_handler!(add_user);
    let _ = check_handler!(age);
}
