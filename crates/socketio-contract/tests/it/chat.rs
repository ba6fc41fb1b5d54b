//! The contract of most tests: the chat of the documentation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use socketio::Socket;
use socketio::adapter::SocketId;
use socketio_contract::contract;

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Welcome {
    pub(crate) name: String,
    pub(crate) others: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub(crate) enum NameError {
    Taken { by: String },
    TooLong,
}

#[contract(namespace = "/")]
pub(crate) mod chat {
    use super::*;

    /// What the page may send.
    pub(crate) trait FromClient {
        /// Says something to the lobby.
        #[event("chat message")]
        fn chat_message(&self, socket: Socket, text: String);
        #[event("add user")]
        async fn add_user(&self, socket: Socket, name: String) -> Result<Welcome, NameError>;
    }
    /// What the page hears.
    pub(crate) trait ToClient {
        #[event("chat message")]
        fn chat_message(from: &SocketId, text: &str);
        #[event("user left")]
        fn user_left(id: &SocketId, why: &str);
        #[event("how are you?")]
        async fn mood() -> String;
    }
}

pub(crate) struct Lobby;

impl chat::FromClient for Lobby {
    fn chat_message(&self, socket: Socket, text: String) {
        let _ = chat::to(socket.to("lobby")).chat_message(socket.id(), &text);
    }

    async fn add_user(&self, socket: Socket, name: String) -> Result<Welcome, NameError> {
        if name.len() > 40 {
            return Err(NameError::TooLong);
        }
        socket.set_data(&name).ok();
        Ok(Welcome { name, others: 0 })
    }
}
