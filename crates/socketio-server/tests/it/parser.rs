//! The option `parser`: a server that speaks another format than the protocols' own.

use socketio::parser::{
    CustomDecoder, CustomParser, DecodeError, Messages, Packet, PacketType, Parser, Revision,
};
use socketio::{Ack, Args, ConnectError, Server, Socket};
use testkit::Eio;

use crate::support::{BOTH, Log, Peer, connector, leave_nothing};

/// A packet as a line of JSON: type, namespace, id and data.
struct Lines;

impl CustomParser for Lines {
    fn encode(&self, packet: Packet) -> Messages {
        let Packet { kind, nsp, id, data } = packet;
        serde_json::to_string(&(kind as u8, nsp, id, data)).expect("keys are text").into()
    }

    fn decoder(&self, _: Revision) -> Box<dyn CustomDecoder> {
        Box::new(LinesDecoder)
    }
}

struct LinesDecoder;

impl CustomDecoder for LinesDecoder {
    fn text(&mut self, line: &str) -> Result<Option<Packet>, DecodeError> {
        let (kind, nsp, id, data) = serde_json::from_str(line).map_err(DecodeError::custom)?;
        let kind = PacketType::from_number(kind).ok_or(DecodeError::InvalidField("type"))?;
        Ok(Some(Packet { kind, nsp, id, data }))
    }
}

/// A server that echoes what comes with the event `e`.
fn echo(parser: Parser, log: &Log) -> Server {
    let io = Server::builder().parser(parser).build().expect("the options make sense");
    let log = log.clone();
    let connected = move |socket: Socket| {
        log.watch(&socket);
        log.watch_errors(&socket);
        socket.on(
            "e",
            |socket: Socket, ack: Ack, args: Args| -> Result<(), socketio::emit::EmitError> {
                socket.emit("r", &args)?;
                ack.send(&args)
            },
        );
        socket.on("all", |socket: Socket| socket.namespace().emit("all", "hello"));
        socket.on("leave", |socket: Socket| socket.disconnect(false));
    };
    io.on_connection(connected.clone());
    io.of("/chat").on_connection(connected);
    io.of("/deny").use_fn(async |_: Socket| Err(ConnectError::new("no")));
    io
}

#[tokio::test(start_paused = true)]
async fn parser_custom() {
    for eio in BOTH {
        let log = Log::default();
        let io = echo(Parser::custom(Lines), &log);
        let mut peer = Peer::open(&connector(&io), eio).await;
        match eio {
            Eio::V3 => peer.expect(r#"4[0,"/",null,null]"#).await,
            Eio::V4 => {
                peer.send(r#"4[0,"/",null,null]"#).await;
                let answer = peer.next().await;
                assert!(answer.starts_with(r#"4[0,"/",null,{"sid":""#), "{answer}");
            }
        }
        peer.send(r#"4[2,"/",7,["e",1,{"a":[null]}]]"#).await;
        peer.expect(r#"4[2,"/",null,["r",1,{"a":[null]}]]"#).await;
        peer.expect(r#"4[3,"/",7,[1,{"a":[null]}]]"#).await;
        peer.send(r#"4[0,"/deny",null,null]"#).await;
        match eio {
            Eio::V3 => peer.expect(r#"4[4,"/deny",null,"no"]"#).await,
            Eio::V4 => peer.expect(r#"4[4,"/deny",null,{"message":"no"}]"#).await,
        }
        peer.send(r#"4[2,"/",null,["leave"]]"#).await;
        peer.expect(r#"4[1,"/",null,null]"#).await;
        assert_eq!(
            log.take().await,
            [
                "/ disconnecting: server namespace disconnect, 1 rooms",
                "/ disconnect: server namespace disconnect, 0 rooms",
            ]
        );
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn parser_custom_errors() {
    for (packet, error) in [
        ("4x", "error: expected value at line 1 column 1"),
        (r#"4[9,"/",null,null]"#, "error: invalid packet: type missing or wrong"),
        (r#"4[2,"/",null,["disconnect"]]"#, "error: reserved event name \"disconnect\""),
    ] {
        let log = Log::default();
        let io = echo(Parser::custom(Lines), &log);
        let mut peer = Peer::open(&connector(&io), Eio::V3).await;
        peer.expect(r#"4[0,"/",null,null]"#).await;
        peer.send(packet).await;
        peer.closed().await;
        assert_eq!(
            log.take().await,
            [
                error,
                "/ disconnecting: forced close, 1 rooms",
                "/ disconnect: forced close, 0 rooms",
            ]
        );
        leave_nothing(&io, [peer]).await;
    }
}

#[cfg(feature = "msgpack")]
#[tokio::test(start_paused = true)]
async fn parser_msgpack() {
    let log = Log::default();
    let io = echo(Parser::msgpack(), &log);
    let server = connector(&io);

    // Clients 2.x send and are sent control packets as text.
    let mut old = Peer::open(&server, Eio::V3).await;
    old.expect(r#"4{"type":0,"nsp":"/"}"#).await;
    old.send(r#"4{"type":0,"nsp":"/chat?token=x"}"#).await;
    old.expect(r#"4{"type":0,"nsp":"/chat"}"#).await;
    old.send(r#"4{"type":0,"nsp":"/deny"}"#).await;
    old.expect(r#"4{"type":4,"nsp":"/deny","data":"no"}"#).await;

    let mut new = Peer::open(&server, Eio::V4).await;
    new.send_binary(b"\x83\xa4type\x00\xa4data\xd4\x00\x00\xa3nsp\xa5/chat").await;
    let testkit::Frame::Binary(answer) = new.ws.next().await else { panic!("not binary") };
    assert!(answer.starts_with(b"\x83\xa4type\x00\xa4data\x81\xa3sid\xb4"), "{answer:?}");
    assert!(answer.ends_with(b"\xa3nsp\xa5/chat"), "{answer:?}");
    new.send_binary(b"\x82\xa4type\x00\xa3nsp\xa5/deny").await;
    new.expect_binary(b"\x83\xa4type\x04\xa4data\x81\xa7message\xa2no\xa3nsp\xa5/deny").await;

    // Events are the same bytes for both, with bytes inside or without.
    for peer in [&mut old, &mut new] {
        let arguments: &[u8] = b"\x01\x81\xa1a\xc4\x02\x01\x02\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00";
        let packet = |head: &[u8], tail: &[u8]| [head, arguments, tail].concat();
        peer.send_binary(&packet(
            b"\x84\xa2id\x07\xa4type\x02\xa4data\x94\xa1e",
            b"\xa3nsp\xa5/chat",
        ))
        .await;
        peer.expect_binary(&packet(b"\x83\xa4type\x02\xa4data\x94\xa1r", b"\xa3nsp\xa5/chat"))
            .await;
        peer.expect_binary(&packet(b"\x84\xa4type\x03\xa4data\x93", b"\xa3nsp\xa5/chat\xa2id\x07"))
            .await;
    }
    old.send_binary(b"\x83\xa4type\x02\xa4data\x91\xa3all\xa3nsp\xa5/chat").await;
    let packet = b"\x83\xa4type\x02\xa4data\x92\xa3all\xa5hello\xa3nsp\xa5/chat";
    old.expect_binary(packet).await;
    new.expect_binary(packet).await;

    assert_eq!(log.take().await, [""; 0]);
    old.send_binary(b"\x83\xa4type\x02\xa4data\x91\xa5leave\xa3nsp\xa5/chat").await;
    old.expect(r#"4{"type":1,"nsp":"/chat"}"#).await;
    new.send_binary(b"\x83\xa4type\x02\xa4data\x91\xa5leave\xa3nsp\xa5/chat").await;
    new.expect_binary(b"\x82\xa4type\x01\xa3nsp\xa5/chat").await;
    // JSON is not understood.
    new.send(r#"42["e",1]"#).await;
    new.closed().await;
    leave_nothing(&io, [old, new]).await;
}
