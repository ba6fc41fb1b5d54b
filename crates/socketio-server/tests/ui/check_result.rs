//! `check_handler!` says what is wrong with what is returned, and with what is captured.

use std::rc::Rc;

use socketio::events::check_handler;
use socketio::{Data, Socket};

fn returned() {
    let _ = check_handler!(|Data(number): Data<u8>| number + 1);
    let _ = check_handler!(async |socket: Socket| socket.id().to_string());
}

fn captured() {
    let shared = Rc::new(7);
    let _ = check_handler!(move |_: Socket| assert_eq!(*shared, 7));
}

fn held() {
    let _ = check_handler!(async |_: Socket| {
        let shared = Rc::new(7);
        std::future::ready(()).await;
        assert_eq!(*shared, 7);
    });
}

fn untyped() {
    let _ = check_handler!(|socket| drop(socket));
}

fn used_up() {
    let text = String::new();
    let _ = check_handler!(move || drop(text));
}

fn main() {}
