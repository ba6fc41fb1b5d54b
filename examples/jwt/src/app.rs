//! The server: its middleware, and handlers that know who speaks.

use socketio::{ConnectError, Data, Reply, Server, Socket};

use crate::auth::{Keys, Refusal, User};

pub(crate) fn server(keys: Keys) -> Server {
    let io = Server::new();
    io.use_fn(async move |socket: Socket| -> Result<(), ConnectError> {
        let handshake = socket.handshake();
        let auth = handshake.auth();
        let auth = auth.as_ref().and_then(|auth| auth.get("token")?.as_str());
        // clients 1.x and 2.x
        let query = handshake.param("token");
        let token = auth.or(query.as_deref()).ok_or(Refusal::Missing)?;
        socket.extensions().insert(keys.verify(token)?);
        Ok(())
    });
    io.on_connection(|socket: Socket| {
        socket.on("whoami", |User(name): User| Reply(name));
        socket.on("say", |socket: Socket, User(name): User, Data(text): Data<String>| {
            socket.namespace().emit("said", (name, text))
        });
    });
    io
}
