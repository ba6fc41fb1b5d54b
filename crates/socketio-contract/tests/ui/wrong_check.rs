use socketio_contract::{Invalid, contract};

fn short(text: &u32) -> Result<(), Invalid> {
    let _ = text;
    Ok(())
}

#[contract(namespace = "/")]
mod chat {
    use super::*;

    pub trait FromClient {
        #[event("chat message")]
        fn chat_message(&self, #[check(short)] text: String);
    }
}

fn main() {}
