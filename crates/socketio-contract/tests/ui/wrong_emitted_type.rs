use socketio::Socket;
use socketio_contract::contract;

#[contract(namespace = "/")]
mod chat {
    use super::*;

    pub trait FromClient {
        #[event("chat message")]
        fn chat_message(&self, socket: Socket, text: String);
        #[event("add user")]
        async fn add_user(&self, socket: Socket, name: String) -> Result<u32, String>;
    }
    pub trait ToClient {
        #[event("user left")]
        fn user_left(why: &str);
        #[event("how are you?")]
        async fn mood() -> String;
    }
}

fn tell(socket: &Socket) {
    let _ = chat::to(socket).user_left(7);
}

fn main() {}
