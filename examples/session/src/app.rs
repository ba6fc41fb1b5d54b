//! The server: the route that makes sessions, and the middleware that asks for one.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use cookie::{Cookie, SameSite};
use socketio::options::{BuildError, Origins};
use socketio::{ConnectError, Reply, Server, Socket};

use crate::sessions::{LIFETIME, Sessions, User};

/// The server, and the service with the route beside it.
pub(crate) fn server() -> Result<(Server, Router), BuildError> {
    let sessions = Arc::new(Sessions::default());
    let io = Server::builder()
        // the proxy runs on this machine; others' headers are ignored
        .trusted_proxies(["127.0.0.0/8", "::1"])
        .origins(Origins::list("https://chat.example.com localhost:*")?.allow_missing(true))
        .build()?;
    let known = Arc::clone(&sessions);
    io.use_fn(async move |socket: Socket| -> Result<(), ConnectError> {
        let cookies = socket.handshake().header("cookie").unwrap_or_default();
        let id = Cookie::split_parse(cookies).flatten().find(|cookie| cookie.name() == NAME);
        let user = id.and_then(|id| known.find(id.value()));
        socket.extensions().insert(user.ok_or("log in first")?);
        Ok(())
    });
    io.on_connection(|socket: Socket| {
        // who speaks, from where, and whether it can be overheard
        socket.on("whoami", |socket: Socket| {
            let name = socket.extensions().get().map(|User(name)| name);
            let handshake = socket.handshake();
            let address = handshake.address().map(|address| address.to_string());
            Reply((name, address, handshake.is_secure()))
        });
    });
    let router = Router::new().route("/login", post(login)).with_state(sessions).layer(io.layer());
    Ok((io, router))
}

/// Stands for a login: the body is the name, and is believed.
async fn login(State(sessions): State<Arc<Sessions>>, name: String) -> Response {
    let Some(id) = sessions.open(User(name)) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let cookie = Cookie::build((NAME, id))
        .path("/")
        .max_age(LIFETIME.try_into().unwrap_or_default())
        .http_only(true)
        .same_site(SameSite::Lax)
        // browsers take it from localhost without TLS, too
        .secure(true);
    ([(SET_COOKIE, cookie.to_string())], "welcome\n").into_response()
}

const NAME: &str = "session";
