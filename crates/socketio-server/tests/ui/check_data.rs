//! What a client sends is read as an owned type that implements `Deserialize`.

use socketio::events::check_handler;
use socketio::{Data, Socket};

struct Message;

fn main() {
    let _ = check_handler!(|_: Socket, Data(_): Data<Message>| ());
    let _ = check_handler!(async |_: Socket, Data(_): Data<&str>| ());
}
