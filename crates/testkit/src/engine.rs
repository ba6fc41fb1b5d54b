//! Sessions that begin with WebSocket.

use serde_json::Value;

use crate::http::{HttpConnection, Request, Response};
use crate::protocol::{Eio, Open, Packet};
use crate::stream::Connector;
use crate::wait::within;
use crate::websocket::WebSocket;

/// Opens an Engine.IO session that begins with WebSocket, and reads the open packet.
///
/// `query` is appended to the query of the request as it is. Gives the content of the packet. A
/// refusal is a panic; to look at one, use [`WebSocket::connect`] with [`Connector::target`].
#[track_caller]
pub fn open_websocket(
    server: &Connector,
    eio: Eio,
    query: &str,
) -> impl Future<Output = (WebSocket, Value)> {
    within("an Engine.IO session over WebSocket", async move {
        let (websocket, packet) = open(server, eio, query)
            .await?
            .map_err(|response| format!("the server refused: {response:?}"))?;
        Ok((websocket, Open::read(packet.as_raw())?.content))
    })
}

/// Opens it; gives the first packet, too.
pub(crate) async fn open(
    server: &Connector,
    eio: Eio,
    query: &str,
) -> Result<Result<(WebSocket, Packet), Response>, String> {
    let request = Request::get(&server.target(eio, "websocket", query)).dressed(server);
    let mut websocket = match WebSocket::open(HttpConnection::open(server), request).await? {
        Ok(websocket) => websocket,
        Err(response) => return Ok(Err(response)),
    };
    let packet = Packet::from_frame(eio, &websocket.read().await?)?;
    Ok(Ok((websocket, packet)))
}
