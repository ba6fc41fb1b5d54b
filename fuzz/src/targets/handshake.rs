//! What a handshake says: the query, and the headers of a WebSocket.

use std::time::Duration;

use engineio_proto::TransportKind;
use engineio_proto::handshake::{Query, encode_cookie_value, open_packet, pairs};
use engineio_proto::websocket::extensions::{Agreement, Takeover};
use engineio_proto::websocket::handshake::{Headers, accept};

use crate::input::Input;
use crate::meter::Meter;

/// A byte of flags, then lines: the query, the extensions offered, a key, a list of subprotocols.
pub fn handshake(input: &[u8]) {
    let mut input = Input(input);
    let flags = input.byte();
    let Ok(text) = std::str::from_utf8(input.0) else { return };
    let mut lines = text.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();

    query(line());
    let willing = Takeover { server: flags & 1 != 0, client: flags & 2 != 0 };
    extensions(line(), willing);

    let (key, protocol) = (line(), line());
    let headers = Headers {
        upgrade: Some("websocket"),
        connection: Some(if flags & 4 == 0 { "Upgrade" } else { protocol }),
        version: Some("13"),
        key: Some(key),
        protocol: (flags & 8 != 0).then_some(protocol),
    };
    let meter = Meter::start();
    if let Ok(accept) = accept(&headers) {
        assert_eq!((key.len(), accept.len()), (24, 28));
    }
    // the names of subprotocols, to be compared with each other: two bytes and a slice each
    meter.check(text.len(), 8, 256);
}

fn query(text: &str) {
    let meter = Meter::start();
    let query = Query::parse(text);
    meter.check(text.len(), 16, 256);
    assert!(query.sid.as_deref() != Some(""), "an empty id is none");
    if let Some(callback) = &query.jsonp {
        assert!(query.b64, "a script carries text");
        assert!(callback.bytes().all(|byte| byte.is_ascii_digit()));
    }
    assert!(pairs(text).count() <= text.len());

    // the id is told, and set as a cookie, as it is
    if let Some(sid) = &query.sid {
        let second = Duration::from_secs(1);
        let packet = open_packet(sid, &[TransportKind::WebSocket], second, second, 1);
        let packet: serde_json::Value = serde_json::from_str(&packet).expect("JSON");
        assert_eq!(packet["sid"], **sid);
        let cookie = encode_cookie_value(sid);
        assert!(cookie.bytes().all(|byte| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)));
        let form = format!("sid={cookie}");
        let read: Vec<_> = pairs(&form).collect();
        assert_eq!(read, [("sid".into(), sid.into())]);
    }
}

fn extensions(offers: &str, willing: Takeover) {
    let meter = Meter::start();
    let agreement = Agreement::choose(offers, willing);
    meter.check(offers.len(), 0, 64);
    let Some(agreement) = agreement else { return };
    let Takeover { server, client } = agreement.takeover;
    assert!((willing.server || !server) && (willing.client || !client), "more than was allowed");
    // the answer is an offer, too, and the same comes of it
    let again = Agreement::choose(&agreement.answer(), willing);
    assert_eq!(again, Some(agreement));
}
