//! Each limit of this level: what happens at it, and that it is counted.

use std::time::Duration;

use socketio::observe::{EngineLimit, Limit};
use socketio::options::{Limits, Rate};
use socketio::{Data, Reason, Server, Socket};
use testkit::{Eio, Polling};

use crate::support::{BOTH, Log, Peer, connector, nothing_left};

/// All limits low.
fn low(limits: &mut Limits) {
    limits.max_namespaces = 2;
    limits.max_rooms = 3;
    limits.max_room_len = 5;
    limits.max_pending_acks = 2;
    limits.packet.max_depth = 5;
    limits.packet.max_args = 4;
    limits.packet.max_attachments = 1;
    limits.packet.max_packet_bytes = 1_000;
    limits.packet.max_namespace_len = 10;
    limits.packet.max_event_len = 8;
}

/// What breaks a packet's limit ends the connection, after an `error` event that says it.
#[tokio::test(start_paused = true)]
async fn packets_within_their_limits_and_beyond() {
    let ok = [
        r#"42["e",[[[[]]]]]"#,
        r#"42["e",1,2,3,4]"#,
        r#"42["eeeeeeee"]"#,
        r#"451-["e",{"_placeholder":true,"num":0}]"#,
    ];
    let large = format!(r#"42["e","{}"]"#, "x".repeat(1_000));
    for eio in BOTH {
        for (packet, limit, text) in [
            (r#"42["e",[[[[[]]]]]]"#, Limit::Depth, "nesting too deep (limit 5)"),
            (r#"42["e",1,2,3,4,5]"#, Limit::Args, "too many arguments (limit 4)"),
            (r#"42["eeeeeeeee"]"#, Limit::EventLen, "event name too long (limit 8 bytes)"),
            (r#"452-["e"]"#, Limit::Attachments, "too many attachments (limit 1)"),
            (&large, Limit::PacketBytes, "packet too large (limit 1000 bytes)"),
            (r#"42/namespaces,["e"]"#, Limit::NamespaceLen, "namespace too long (limit 10 bytes)"),
        ] {
            let io = Server::builder().limits(low).build().unwrap();
            let log = Log::default();
            let watched = log.clone();
            io.on_connection(move |socket: Socket| {
                watched.watch_errors(&socket);
                let ended = watched.clone();
                socket.on_disconnect(move |Reason(why): Reason| ended.add(why.as_str()));
            });
            let mut peer = Peer::join(&connector(&io), eio).await;
            for packet in ok {
                peer.send(packet).await;
            }
            peer.send_binary(b"x").await;
            assert_eq!(log.take().await, [""; 0]);
            peer.send(packet).await;
            assert_eq!(log.take().await, [&*format!("error: {text}"), "forced close"]);
            let counts = io.stats().limits;
            assert_eq!(counts.get(limit), 1, "{limit:?}");
            assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), 1, "{counts:?}");
            drop(peer);
            nothing_left(&io).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn namespaces_rooms_and_acknowledgements() {
    let io = Server::builder().limits(low).build().unwrap();
    let mut sockets = crate::support::arrivals(io.sockets());
    for nsp in ["/a", "/b"] {
        let _ = io.of(nsp);
    }
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    let socket = sockets.next().await;
    peer.enter("/a").await;
    peer.send("40/b,").await;
    peer.expect(r#"44/b,{"message":"Too many namespaces"}"#).await;
    assert_eq!(io.stats().limits.get(Limit::Namespaces), 1);

    socket.join(["1", "2", "3"]).await.unwrap();
    assert!(socket.join("4").await.is_err());
    assert_eq!(io.stats().limits.get(Limit::Rooms), 1);

    let log = Log::default();
    for n in 0..3 {
        let log = log.clone();
        socket.emit_with_ack::<u32>("q", n).callback(move |answer| {
            log.add(format!("{n}: {}", answer.unwrap_err()));
        });
    }
    assert_eq!(log.take().await, ["0: the client did not acknowledge in time"]);
    assert_eq!(io.stats().limits.get(Limit::PendingAcks), 1);
    drop(peer);
    nothing_left(&io).await;
}

/// What handlers hold on to is bounded, not their number alone: the connection is not read.
#[tokio::test(start_paused = true)]
async fn the_bytes_of_handlers_that_wait() {
    for eio in BOTH {
        let io = Server::builder().limits(|limits| limits.max_pending_bytes = 5_000);
        let io = io.build().unwrap();
        let (log, gate) = (Log::default(), std::sync::Arc::new(tokio::sync::Semaphore::new(0)));
        let (begun, opened) = (log.clone(), gate.clone());
        io.on_connection(move |socket: Socket| {
            let (begun, opened) = (begun.clone(), opened.clone());
            socket.on("e", async move |Data(text): Data<String>| {
                begun.add(format!("{}", text.len()));
                opened.acquire().await.unwrap().forget();
            });
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        let event = format!(r#"42["e","{}"]"#, "x".repeat(1000));
        for _ in 0..10 {
            peer.send(&event).await;
        }
        assert_eq!(log.take().await, ["1000"; 5]);
        assert_eq!(io.stats().limits.get(Limit::PendingBytes), 1);
        gate.add_permits(2);
        assert_eq!(log.take().await, ["1000"; 2]);
        gate.add_permits(100);
        assert_eq!(log.take().await, ["1000"; 3]);
        drop(peer);
        nothing_left(&io).await;
    }
}

/// What a client sends as `auth` is kept, so it is bounded.
#[tokio::test(start_paused = true)]
async fn the_bytes_of_auth() {
    let io = Server::new();
    let mut peer = Peer::open(&connector(&io), Eio::V4).await;
    let auth = |len| format!(r#"40{{"token":"{}"}}"#, "x".repeat(len));
    peer.send(&auth(65_536)).await;
    peer.expect(r#"44{"message":"Too much auth"}"#).await;
    assert_eq!(io.stats().limits.get(Limit::AuthBytes), 1);
    peer.send(&auth(65_000)).await;
    peer.entered("/").await;
    drop(peer);
    nothing_left(&io).await;
}

/// A client that joins nothing.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_connect() {
    let io = Server::new();
    let mut peer = Peer::open(&connector(&io), Eio::V4).await;
    tokio::time::sleep(Duration::from_secs(46)).await;
    peer.expect("2").await;
    peer.closed().await;
    assert_eq!(io.stats().limits.get(Limit::ConnectTimeout), 1);
    nothing_left(&io).await;
}

/// Nor does one that polls keep its place, though a ping waits for it.
#[tokio::test(start_paused = true)]
async fn a_client_that_polls_and_does_not_connect() {
    for interval in [20, 60] {
        let io = Server::builder()
            .max_sessions(1)
            .ping_interval(Duration::from_secs(interval))
            .ping_timeout(Duration::from_secs(60))
            .build()
            .unwrap();
        let mut polling = Polling::open(&connector(&io), Eio::V4, "").await;
        tokio::time::sleep(Duration::from_secs(46)).await;
        assert_eq!(io.stats().limits.get(Limit::ConnectTimeout), 1);
        assert_eq!(io.stats().engine.sessions, 0);
        Polling::open(&connector(&io), Eio::V4, "").await;
        assert_eq!(polling.poll().await, ["1"]);
        assert_eq!(polling.poll_response().await.json()["code"], 1);
    }
}

/// A client that is too fast is told of at the server, slowed down, and in the end disconnected.
#[tokio::test(start_paused = true)]
async fn a_client_that_is_too_fast() {
    for eio in BOTH {
        let rate = Rate::per_second(10).burst(20);
        let io = Server::builder().engine(|engine| engine.max_message_rate = Some(rate));
        let io = io.build().unwrap();
        let log = Log::default();
        let (told, ended) = (log.clone(), log.clone());
        io.on_rate_limited(move |client, limit| {
            told.add(format!("{} of {} sockets", limit.option(), client.sockets().len()));
        });
        io.on_connection(move |socket: Socket| {
            let ended = ended.clone();
            socket.on_disconnect(move |Reason(why): Reason| {
                ended.add(format!("{why}, {:?}", why.detail()));
            });
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        let flood = vec![r#"42["x"]"#; 500];
        peer.send_all(&flood).await;
        assert_eq!(log.take().await, ["max_message_rate of 1 sockets"]);
        tokio::time::sleep(Duration::from_secs(11)).await;
        assert_eq!(log.take().await, ["transport error, Some(RateLimited)"]);
        assert_eq!(io.stats().limits.get(EngineLimit::RateGrace), 1);
        drop(peer);
        nothing_left(&io).await;
    }
}

/// What the table says a default is: a number, milliseconds for times.
fn documented(table: &str, option: &str) -> Option<u64> {
    let (_, row) = table.split_once(&format!("\n| `{option}` | ")).unwrap();
    let (default, _) = row.split_once(" |").unwrap();
    let (number, unit) = default.split_once(' ').unwrap_or((default, ""));
    let unit = match unit {
        "" | "bytes" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "s" => 1000,
        _ => return None,
    };
    number.replace(',', "").parse().ok().map(|number: u64| number * unit)
}

/// The defaults of the documentation are those of the code.
#[test]
fn the_table_is_right() {
    let table = include_str!("../../src/docs/all-limits.md");
    let mut left: Vec<&str> =
        table.split("\n| `").skip(1).map(|row| row.split_once('`').unwrap().0).collect();
    let mut check = |option: &str, default: Option<u64>| {
        left.retain(|name| *name != option);
        assert_eq!(documented(table, option), default, "{option}");
    };
    let (engine, limits) = (engineio::Options::default(), Limits::default());
    let packet = &limits.packet;
    macro_rules! check {
        ($from:ident: $($option:ident)*) => {$(
            check(stringify!($option), Some(number($from.$option)));
        )*};
    }
    check!(engine: max_http_buffer_size max_packets_per_payload max_frames_per_message
        max_outbound_bytes max_outbound_packets max_pending_pongs max_total_outbound_bytes
        max_total_inbound_bytes
        max_header_bytes max_header_fields);
    check!(limits: max_namespaces max_dynamic_namespaces
        max_dynamic_namespaces_per_address max_rooms max_room_len max_pending_acks
        max_pending_handlers max_pending_bytes max_auth_bytes max_detached_handlers
        max_detached_bytes max_pending_server_events);
    check!(packet: max_depth max_args max_attachments max_packet_bytes max_event_len
        max_namespace_len);
    macro_rules! times {
        ($($option:ident)*) => {$(
            check(stringify!($option), Some(number(engine.$option.as_millis())));
        )*};
    }
    times!(max_read_pause rate_grace write_timeout header_timeout keep_alive_timeout body_timeout
        upgrade_timeout ping_timeout close_timeout leave_timeout);
    macro_rules! off {
        ($($option:ident)*) => {$(
            assert!(engine.$option.is_none());
            check(stringify!($option), None);
        )*};
    }
    off!(max_packets_per_poll max_connections max_connections_per_address max_sessions max_sessions_per_address max_message_rate max_byte_rate
        max_message_rate_per_address max_byte_rate_per_address max_connect_rate_per_address);
    let recovery = socketio::options::ConnectionStateRecovery::default();
    check("max_kept_packets", Some(number(recovery.max_kept_packets)));
    check("max_kept_bytes", Some(number(recovery.max_kept_bytes)));
    check("max_away_sessions", Some(number(recovery.max_away_sessions)));
    // a heartbeat that is late, twice the time for an answer, and the time that a client may be away
    let silence = engine.ping_interval + engine.ping_timeout * 2 + Duration::from_secs(10);
    let age = recovery.max_disconnection_duration + silence;
    assert_eq!(recovery.max_kept_age, None);
    check("max_kept_age", Some(number(age.as_millis())));
    let dedupe = socketio::events::Dedupe::event("pay");
    check("max_keys_per_scope", Some(number(dedupe.max_keys_per_scope)));
    check("max_keys", Some(number(dedupe.max_keys)));
    check("max_bytes", Some(number(dedupe.max_bytes)));
    let named = ["max_key_len` (128 bytes)", "max_answer_bytes` (16 KiB)", "keep` (5 minutes)"];
    assert!(named.iter().all(|named| table.contains(named)));
    assert_eq!((dedupe.max_key_len, dedupe.max_answer_bytes), (128, 16 << 10));
    assert_eq!(dedupe.keep, Duration::from_secs(300));
    // of the builder alone, see `a_client_that_does_not_connect`
    check("connect_timeout", Some(45_000));
    assert_eq!(left, [""; 0]);
    assert_eq!((engine.max_addresses, engine.ipv6_prefix), (65_536, 64));
}

fn number<T: TryInto<u64, Error: std::fmt::Debug>>(number: T) -> u64 {
    number.try_into().unwrap()
}

/// The table of the documentation has every limit, once.
#[test]
fn the_table_is_complete() {
    let table = include_str!("../../src/docs/all-limits.md");
    let engine = EngineLimit::ALL.iter().map(|limit| limit.option());
    let all: Vec<&str> = engine.chain(Limit::ALL.iter().map(|limit| limit.option())).collect();
    for option in &all {
        assert_eq!(table.matches(&format!("\n| `{option}` |")).count(), 1, "{option}");
    }
    assert_eq!(table.matches("\n| `").count(), all.len());
    // as are the counters
    let stats = Server::new().stats();
    assert!(stats.limits.iter().map(|(option, _)| option).eq(all));
}
