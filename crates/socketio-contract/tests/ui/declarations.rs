use socketio::{Data, Socket};
use socketio_contract::contract;

#[contract(namespace = "/")]
mod chat {
    use super::*;

    pub trait FromClient {
        #[event("connect")]
        fn connect(&self);
        #[event("one")]
        fn one(&self, text: &str);
        #[event("one")]
        fn other(&self, text: Data<String>);
        fn without_self(text: String);
        fn generic<T>(&self, text: T);
        fn body(&self) {}
        fn half(&self, socket: Socket) -> std::io::Result<u32>;
    }
}

#[contract(namespace = "chat")]
mod no_slash {}

#[contract]
mod empty {}

#[contract]
mod hears {
    pub trait ToClient {
        fn with_self(&self);
        fn answered() -> String;
    }
}

fn main() {}
