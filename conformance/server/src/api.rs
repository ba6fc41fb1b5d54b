//! The profiles `api` and `api-msgpack`: what only handlers with types can show, and namespaces by a rule
//! that the server's own code names, too.

use serde::Deserialize;
use socketio::{Binary, ConnectError, Data, Reply, Server, Socket};

/// In this order, serde tries bytes first.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum BinaryFirst {
    Binary(Binary),
    Text(String),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum TextFirst {
    Text(String),
    Binary(Binary),
}

pub(crate) fn add(io: &Server) {
    // a login for a family of namespaces
    let games = io.of_matching("/game-*");
    games.use_fn(async |socket: Socket| match socket.handshake().param("password").as_deref() {
        Some("secret") => Ok(()),
        _ => Err(ConnectError::new("no password")),
    });
    games.on_connection(|socket: Socket| {
        socket.on("who", || Reply("a game"));
    });

    let server = io.clone();
    io.on_connection(move |socket: Socket| {
        let server = server.clone();
        // as a background task does that tells whoever is in a game, perhaps nobody
        socket.on("tell", move |Data(game): Data<String>| {
            Reply(server.of(&game).emit("news", 1).is_ok())
        });
        socket.on("binary-first", |Data(value): Data<BinaryFirst>| {
            Reply(match value {
                BinaryFirst::Binary(bytes) => format!("binary:{}", bytes.0.len()),
                BinaryFirst::Text(text) => format!("text:{}", text.len()),
            })
        });
        socket.on("text-first", |Data(value): Data<TextFirst>| {
            Reply(match value {
                TextFirst::Text(text) => format!("text:{}", text.len()),
                TextFirst::Binary(bytes) => format!("binary:{}", bytes.0.len()),
            })
        });
        socket.on("text", |Data(_): Data<String>| Reply("delivered"));
        socket.on("binary", |Data(_): Data<Binary>| Reply("delivered"));
    });
}
