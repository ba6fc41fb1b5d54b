//! Compressed messages, RFC 7692.

use bytes::Bytes;
use engineio::{CloseDetail, HEADROOM, Limit, Options, Outgoing, PerMessageDeflate, Push, Rate};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use testkit::{Connector, Eio, Frame, Polling, WebSocket, frame, open_websocket, settle};

use crate::host::{Host, Road, ms};

const PLAIN: Option<[u8; 4]> = Some([0; 4]);
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
const NO_CONTEXT: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// Compression from 200 bytes on: the testkit reads the open packet, and knows no compression.
fn options(change: impl FnOnce(&mut PerMessageDeflate)) -> Options {
    let mut deflate = PerMessageDeflate::default();
    deflate.threshold = 200;
    change(&mut deflate);
    let mut options = Options::default();
    options.per_message_deflate = Some(deflate);
    options
}

fn offering(net: &Connector, offer: &str) -> Connector {
    net.clone().with_header(EXTENSIONS, offer)
}

/// The client's side of the extension.
struct Client {
    websocket: WebSocket,
    compress: Compress,
    decompress: Decompress,
    takeover: bool,
}

impl Client {
    async fn open(host: &Host, eio: Eio) -> Self {
        let net = offering(&host.net, "permessage-deflate; client_max_window_bits");
        Self::over(open_websocket(&net, eio, "").await.0)
    }

    fn over(websocket: WebSocket) -> Self {
        let takeover = match websocket.response().header(EXTENSIONS) {
            Some("permessage-deflate") => true,
            Some(NO_CONTEXT) => false,
            other => panic!("{other:?}"),
        };
        let compress = Compress::new(Compression::default(), false);
        Self { websocket, compress, decompress: Decompress::new(false), takeover }
    }

    /// The frame of a compressed message.
    fn frame(&mut self, opcode: u8, content: &[u8]) -> Vec<u8> {
        if !self.takeover {
            self.compress.reset();
        }
        let mut payload = Vec::with_capacity(content.len() + 100);
        self.compress.compress_vec(content, &mut payload, FlushCompress::Sync).unwrap();
        assert!(payload.ends_with(b"\0\0\xff\xff"));
        payload.truncate(payload.len() - 4);
        let mut frame = frame(true, opcode, PLAIN, &payload);
        frame[0] |= 0x40;
        frame
    }

    async fn send(&mut self, opcode: u8, content: &[u8]) {
        let frame = self.frame(opcode, content);
        self.websocket.send_raw(&frame).await;
    }

    /// The next message: its opcode, its content, and its size on the wire if it was compressed.
    async fn next(&mut self) -> (u8, Vec<u8>, Option<usize>) {
        let frame = self.websocket.next_raw().await.expect("a message");
        assert!(frame.fin, "messages are sent whole");
        match frame.rsv {
            0 => return (frame.opcode, frame.payload.to_vec(), None),
            rsv => assert_eq!(rsv, 4),
        }
        if !self.takeover {
            self.decompress.reset(false);
        }
        let mut content = Vec::with_capacity(2_000_000);
        for input in [&frame.payload[..], b"\0\0\xff\xff"] {
            self.decompress.decompress_vec(input, &mut content, FlushDecompress::Sync).unwrap();
        }
        (frame.opcode, content, Some(frame.payload.len()))
    }

    /// Expects a message; gives its size on the wire if it was compressed.
    #[track_caller]
    fn expect(&mut self, opcode: u8, content: &[u8]) -> impl Future<Output = Option<usize>> {
        let at = std::panic::Location::caller();
        async move {
            let (found_opcode, found, size) = self.next().await;
            assert!((found_opcode, &found[..]) == (opcode, content), "{at}: {found:?}");
            size
        }
    }
}

/// A packet as the layer above makes them.
fn packet(text: &str, attachments: &[Vec<u8>]) -> Outgoing {
    let mut buffer = vec![0; HEADROOM];
    buffer.extend_from_slice(text.as_bytes());
    let attachments = attachments.iter().map(|bytes| Bytes::copy_from_slice(bytes)).collect();
    Outgoing::message(buffer, HEADROOM, attachments)
}

/// Bytes that do not get smaller.
fn noise(len: usize) -> Vec<u8> {
    let next = |seed: &u32| Some(seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(1), next).map(|seed| (seed >> 24) as u8).take(len).collect()
}

#[tokio::test(start_paused = true)]
async fn the_extension_is_agreed_on() {
    for (options, offer, answer) in [
        (Options::default(), "permessage-deflate", None),
        (options(|_| {}), "permessage-deflate", Some(NO_CONTEXT)),
        (options(|_| {}), "permessage-deflate; client_max_window_bits", Some(NO_CONTEXT)),
        (options(|_| {}), "permessage-deflate; server_max_window_bits=7", None),
        (options(|_| {}), "permessage-deflate; server_max_window_bits=8", None),
        (
            options(|_| {}),
            "permessage-deflate; server_max_window_bits=10",
            Some(
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                 server_max_window_bits=10",
            ),
        ),
        (options(|_| {}), ",;constructor", None),
        (options(|_| {}), "x-other", None),
        (
            options(|deflate| deflate.server_context_takeover = true),
            "permessage-deflate",
            Some("permessage-deflate; client_no_context_takeover"),
        ),
        (
            options(|deflate| deflate.client_context_takeover = true),
            "permessage-deflate",
            Some("permessage-deflate; server_no_context_takeover"),
        ),
    ] {
        let host = Host::echo(options);
        let (mut client, _) = open_websocket(&offering(&host.net, offer), Eio::V4, "").await;
        assert_eq!(client.response().header(EXTENSIONS), answer, "{offer}");
        client.send_text("4hi").await;
        client.expect_text("4hi").await;
        drop(client);
        host.end().await;
    }
}

roads! {
    async fn messages_are_compressed(road: Road) {
        let host = Host::echo_on(road, options(|_| {})).await;
        for eio in [Eio::V4, Eio::V3] {
            let mut client = Client::open(&host, eio).await;
            let text = format!("4{}", "socket.io ".repeat(100));
            client.send(1, text.as_bytes()).await;
            assert!(client.expect(1, text.as_bytes()).await < Some(100));
            // below the threshold, and by a client that did not compress
            client.send(1, b"4hi").await;
            assert_eq!(client.expect(1, b"4hi").await, None);
            client.websocket.send_text(&text).await;
            assert!(client.expect(1, text.as_bytes()).await < Some(100));
            let kind: &[u8] = if eio == Eio::V3 { &[4] } else { &[] };
            let binary = [kind, &[7; 1000]].concat();
            client.send(2, &binary).await;
            assert!(client.expect(2, &binary).await < Some(100));
            // nothing is gained
            let binary = [kind, &noise(1000)].concat();
            client.websocket.send_binary(&binary).await;
            assert_eq!(client.expect(2, &binary).await, None);
        }
        host.end().await;
    }
}

roads! {
    async fn one_packet_for_receivers_of_all_kinds(road: Road) {
        let host = Host::echo_on(road, options(|_| {})).await;
        let mut plain = open_websocket(&host.net, Eio::V4, "").await.0;
        let net = offering(&host.net, "permessage-deflate");
        let mut base64 = Client::over(open_websocket(&net, Eio::V4, "&b64=1").await.0);
        let mut v3 = Client::open(&host, Eio::V3).await;
        let mut v4 = Client::open(&host, Eio::V4).await;
        let attachments = [vec![7; 500], vec![8; 5], noise(500)];
        let packet = packet("53-[]", &attachments);
        let text = self::packet(&"x".repeat(500), &[]);
        let mute = self::packet(&"x".repeat(500), &[]).compress(false);
        for socket in host.log.sockets() {
            for packet in [&packet, &text, &mute] {
                assert_eq!(socket.push(packet.clone()), Push::Queued);
            }
        }
        for (client, kind) in [(&mut v3, &[4][..]), (&mut v4, &[])] {
            assert_eq!(client.expect(1, b"453-[]").await, None);
            for (attachment, compressed) in attachments.iter().zip([true, false, false]) {
                let size = client.expect(2, &[kind, attachment].concat()).await;
                assert_eq!(size.is_some(), compressed);
            }
            let text = format!("4{}", "x".repeat(500));
            assert!(client.expect(1, text.as_bytes()).await < Some(50));
            assert_eq!(client.expect(1, text.as_bytes()).await, None);
        }
        plain.expect_text("453-[]").await;
        plain.expect_binary(&attachments[0]).await;
        base64.expect(1, b"453-[]").await;
        let (opcode, attachment, size) = base64.next().await;
        assert_eq!((opcode, &attachment[..2], size), (1, &b"bB"[..], None));
        drop((plain, base64, v3, v4));
        host.end().await;
    }
}

roads! {
    async fn contexts_are_kept(road: Road) {
        let options = options(|deflate| {
            deflate.server_context_takeover = true;
            deflate.client_context_takeover = true;
        });
        let host = Host::echo_on(road, options).await;
        let mut client = Client::open(&host, Eio::V4).await;
        let text = [&b"4"[..], &noise(400).escape_ascii().to_string().into_bytes()].concat();
        client.send(1, &text).await;
        let first = client.expect(1, &text).await.unwrap();
        client.send(1, b"4hi").await;
        assert_eq!(client.expect(1, b"4hi").await, None);
        client.send(1, &text).await;
        let second = client.expect(1, &text).await.unwrap();
        assert!(first > 400 && second < 100, "{first} {second}");
        // many at once, and an answer to a ping in between
        let mut input = Vec::new();
        for at in 0..300 {
            input.extend(client.frame(1, format!("4{at} {}", "y".repeat(at)).as_bytes()));
            if at == 150 {
                input.extend(frame(true, 9, PLAIN, b"ping"));
            }
        }
        client.websocket.send_raw(&input).await;
        for at in 0..300 {
            let size = client.expect(1, format!("4{at} {}", "y".repeat(at)).as_bytes()).await;
            assert_eq!(size.is_some(), format!("4{at} ").len() + at >= 200);
            if at == 150 {
                assert_eq!(client.expect(10, b"ping").await, None);
            }
        }
        drop(client);
        host.end().await;
    }
}

/// What is partly written goes on where it stopped, compressed or not.
#[tokio::test(start_paused = true)]
async fn clients_that_take_little_at_a_time() {
    for takeover in [false, true] {
        for bytes in [1, 7, 64, 1000] {
            let host = Host::silent(options(|deflate| deflate.server_context_takeover = takeover));
            let net = host.net.clone().with_capacity(bytes);
            let net = offering(&net, "permessage-deflate");
            let (websocket, _) = open_websocket(&net, Eio::V3, "").await;
            let mut client = Client {
                websocket,
                compress: Compress::new(Compression::default(), false),
                decompress: Decompress::new(false),
                takeover,
            };
            let text = noise(300).escape_ascii().to_string();
            for at in 0..20 {
                let text = format!("{at}{text}");
                let _ = host.socket().push(packet("1", &[vec![7; 200], noise(200)]));
                let _ = host.socket().push(packet(&text, &[]).droppable(true));
                let _ = host.socket().push(packet("small", &[]));
                if at % 5 == 0 {
                    tokio::time::sleep(ms(10)).await;
                }
            }
            for at in 0..20 {
                client.expect(1, b"41").await;
                assert!(client.expect(2, &[&[4][..], &[7; 200]].concat()).await < Some(50));
                client.expect(2, &[&[4][..], &noise(200)].concat()).await;
                assert!(client.expect(1, format!("4{at}{text}").as_bytes()).await.is_some());
                assert_eq!(client.expect(1, b"4small").await, None);
            }
            assert_eq!(host.socket().queued_bytes(), 0);
            drop(client);
            host.end().await;
        }
    }
}

roads! {
    async fn violations_are_told_by_a_code(road: Road) {
        let marked = |mut frame: Vec<u8>| {
            frame[0] |= 0x40;
            frame
        };
        let compressed = |content: &[u8]| {
            let mut payload = Vec::with_capacity(100_000);
            Compress::new(Compression::best(), false)
                .compress_vec(content, &mut payload, FlushCompress::Sync)
                .unwrap();
            marked(frame(true, 1, PLAIN, &payload[..payload.len() - 4]))
        };
        for (input, code) in [
            (compressed(&vec![b'4'; 20_000_000]), 1009),
            (compressed(&vec![b'4'; 1_000_001]), 1009),
            (marked(frame(true, 1, PLAIN, &[0xff; 4])), 1007),
            (marked(frame(true, 1, PLAIN, b"")), 1007),
            (compressed(b"4\xff"), 1007),
            ([frame(false, 1, PLAIN, b"4"), marked(frame(true, 0, PLAIN, b"4"))].concat(), 1002),
            (marked(frame(true, 9, PLAIN, b"x")), 1002),
        ] {
            let host = Host::echo_on(road, options(|_| {})).await;
            let mut client = Client::open(&host, Eio::V4).await.websocket;
            client.send_raw(&input).await;
            assert_eq!(client.expect_close().await, Some(code));
            client.expect_eof().await;
            drop(client);
            let detail = match code {
                1009 => CloseDetail::TooLarge,
                code => CloseDetail::WebSocket(code),
            };
            let closed = format!("close: transport error, {detail:?}");
            assert_eq!(host.log.closed().await, ["open", closed.as_str()]);
            host.end().await;
        }
    }
}

/// One that inflates to much leaves the worker after some of it.
#[tokio::test(start_paused = true)]
async fn much_from_little_takes_several_turns() {
    let host = Host::silent(options(|_| {}));
    let net = offering(&host.net.clone().with_capacity(1_000_000), "permessage-deflate");
    let mut client = Client::over(open_websocket(&net, Eio::V4, "").await.0);
    let one = client.frame(1, &[&b"4"[..], &[b'x'; 500_000]].concat());
    assert!(one.len() < 2000);
    let before = host.log.polls();
    client.websocket.send_raw(&[one.repeat(10), frame(true, 1, PLAIN, b"4last")].concat()).await;
    let noted = host.log.until(|event| event == "last").await;
    assert_eq!(noted[1..11], ["500000 bytes"; 10]);
    assert!(host.log.polls() >= before + 5, "{} turns", host.log.polls() - before);
    drop(client);
    host.end().await;
}

roads! {
    async fn a_session_that_changes_to_websocket(road: Road) {
        let host = Host::echo_on(road, options(|_| {})).await;
        let polling = Polling::open(&host.net, Eio::V4, "").await;
        let target = polling.target().replace("transport=polling", "transport=websocket");
        let offer = [(EXTENSIONS, "permessage-deflate")];
        let websocket = WebSocket::connect(&host.net, &target, &offer).await.unwrap();
        let mut client = Client::over(websocket);
        client.send(1, b"2probe").await;
        client.expect(1, b"3probe").await;
        let text = "x".repeat(500);
        host.say(&text);
        client.send(1, b"5").await;
        let expected = format!("4{text}");
        assert!(client.expect(1, expected.as_bytes()).await < Some(50));
        client.websocket.send_close(None).await;
        assert!(matches!(client.websocket.next().await, Frame::Close(None, _)));
        drop(client);
        host.end().await;
    }
}

#[test]
fn options_that_make_no_sense() {
    let error = |options: Options| options.check().unwrap_err().to_string();
    for level in [0, 10] {
        assert_eq!(
            error(options(|deflate| deflate.level = level)),
            format!("option per_message_deflate: level {level} is not one of 1 to 9")
        );
    }
    assert!(options(|deflate| deflate.threshold = 0).check().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_smaller_window_is_kept_to() {
    let text: String = (0..3000u32).map(|at| format!("{:x}", at.wrapping_mul(7919))).collect();
    let text = text.repeat(2);
    for takeover in [false, true] {
        let host = Host::echo(options(|deflate| deflate.server_context_takeover = takeover));
        let mut sizes = Vec::new();
        for bits in [9, 12, 15] {
            let offer = format!("permessage-deflate; server_max_window_bits={bits}");
            let net = offering(&host.net, &offer);
            let (mut websocket, _) = open_websocket(&net, Eio::V4, "").await;
            let mut decompress = Decompress::new(false);
            let mut size = None;
            for _ in 0..2 {
                websocket.send_text(&format!("4{text}")).await;
                let frame = websocket.next_raw().await.expect("a message");
                assert_eq!((frame.rsv, frame.opcode), (4, 1));
                // the first: with a context the second refers to it
                size.get_or_insert(frame.payload.len());
                if !takeover {
                    decompress.reset(false);
                }
                let mut found = Vec::with_capacity(100_000);
                for input in [&frame.payload[..], b"\0\0\xff\xff"] {
                    decompress.decompress_vec(input, &mut found, FlushDecompress::Sync).unwrap();
                }
                assert_eq!(found, format!("4{text}").into_bytes());
            }
            sizes.extend(size);
        }
        // only the largest window reaches the first half from the second; inflaters do not tell
        assert!(sizes[2] * 4 < sizes[1] * 3 && sizes[2] * 4 < sizes[0] * 3, "{sizes:?}");
    }
}

/// A rate bounds work, so what counts is what a message inflates to, or may have.
#[tokio::test(start_paused = true)]
async fn inflated_bytes_count_against_the_rates() {
    let mut options = options(|_| {});
    options.max_byte_rate = Some(Rate::per_second(10_000));
    options.max_byte_rate_per_address = Some(Rate::per_second(1_500_000));
    let host = Host::silent(options);
    let mut client = Client::open(&host, Eio::V4).await;
    let content = [b"4".as_slice(), &[b'x'; 20_000]].concat();
    let frame = client.frame(1, &content);
    assert!(frame.len() < 100, "{}", frame.len());
    client.websocket.send_raw(&frame).await;
    settle().await;
    host.expect(&["open", "20000 bytes", "limited: max_byte_rate"]);
    drop(client);
    // nobody hears of a message that is too large, but the address pays for it
    for _ in 0..2 {
        let mut client = Client::open(&host, Eio::V4).await;
        let bomb = client.frame(1, &[b'x'; 2_000_000]);
        client.websocket.send_raw(&bomb).await;
        assert!(matches!(client.websocket.next().await, Frame::Close(Some(1009), _)));
    }
    let mut client = Client::open(&host, Eio::V4).await;
    client.send(1, b"4x").await;
    settle().await;
    assert_eq!(host.stats().limits.get(Limit::AddressByteRate), 1);
    drop(client);
    host.end().await;
}
