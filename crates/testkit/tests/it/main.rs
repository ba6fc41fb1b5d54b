//! The clients against servers that are a list of literal bytes.

mod http;
mod polling;
mod script;
mod socketio;
mod stream;
mod websocket;
