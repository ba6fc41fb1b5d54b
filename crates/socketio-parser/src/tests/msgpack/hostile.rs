//! Messages that are wrong, or made to exhaust the stack, the memory or the time.

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;

use super::{
    argument, bytes, check, decode, encoder, event, lenient, refused, show, text, v4, v5, value,
};
use crate::{Decoded, Encoded, Limits, Parser, Revision, Value, from_value};

/// The rows of section 14 of the abuse cases that a decoder can answer.
#[test]
fn abuse() {
    // M01: text of another parser
    text(Revision::V5, r#"42["e",1]"#, "! invalid payload: a packet is an object at byte 0");
    // M02: no bytes, no map, no type, a wrong type
    check("", "! empty packet");
    check("c0", "! invalid packet: a packet is a map at byte 0");
    check("c1", "! invalid packet: no such type at byte 0");
    check("92 01 02", "! invalid packet: a packet is a map at byte 0");
    // M03, M04: huge lengths
    check("dd ff ff ff ff", "! invalid packet: message does not end here at byte 5");
    check("df ff ff ff ff", "! invalid packet: message does not end here at byte 5");
    check("db ff ff ff ff|aaaa|", "! invalid packet: message does not end here at byte 5");
    check("c6 80 00 00 00|aa|", "! invalid packet: message does not end here at byte 5");
    check("c9 ff ff ff ff 01|a|", "! invalid packet: message does not end here at byte 6");
    refused("df 80 00 00 00 01 02", "! invalid packet: message does not end here");
    refused("df ff ff ff ff", "! invalid packet: message does not end here");
    refused("dc 00 08 01 02 03 04 05", "! invalid packet: message does not end here");
    // M05: the data announces more than there is
    check(
        "83 a4|type|02 a4|data|dd 7f ff ff ff a1|e| a3|nsp|a1|/|",
        "! invalid packet: message does not end here at byte 17",
    );
    // M06: nested
    let mut nested = vec![0x91; 20_000];
    nested.push(1);
    assert_eq!(decode(Revision::V5, &event(&nested)), "! nesting too deep (limit 512)");
    let nested = bytes("81 a1|a|").repeat(20_000);
    assert_eq!(decode(Revision::V4, &event(&nested)), "! nesting too deep (limit 512)");
    // M07: fields
    let (kind, nsp) = ("! invalid packet: type", "! invalid packet: nsp");
    lenient("83 a4|type|09 a4|data|91 a1|e| a3|nsp|a1|/|", &format!("{kind} missing or wrong"));
    lenient("83 a4|type|a1|2| a4|data|91 a1|e| a3|nsp|a1|/|", &format!("{kind} missing or wrong"));
    lenient("82 a4|data|91 a1|e| a3|nsp|a1|/|", &format!("{kind} missing or wrong"));
    lenient("83 a4|type|02 a4|data|91 a1|e| a3|nsp|05", &format!("{nsp} missing or wrong"));
    lenient("83 a4|type|02 a4|data|91 a1|e| a3|nsp|a0", &format!("{nsp} missing or wrong"));
    lenient("82 a4|type|02 a4|data|91 a1|e|", &format!("{nsp} missing or wrong"));
    lenient("83 a4|type|02 a4|data|81 a1|e|01 a3|nsp|a1|/|", "! invalid payload");
    lenient(
        "84 a4|type|02 a4|data|91 a1|e| a3|nsp|a1|/| a2|id|a1|x|",
        "! invalid acknowledgement id",
    );
    lenient("84 a4|type|02 a4|data|91 a1|e| a3|nsp|a1|/| a2|id|ff", "! invalid acknowledgement id");
    check("83 a4|type|03 a4|data|90 a3|nsp|a1|/|", "ignored");
    lenient("83 a4|type|02 a4|data|c0 a3|nsp|a1|/|", "! invalid payload");
    lenient("83 a4|type|01 a4|data|c2 a3|nsp|a1|/|", "! invalid payload");
    lenient("83 a4|type|02 a4|data|91 a1|e| a3|nsp|c0", &format!("{nsp} missing or wrong"));
    check("81 01 02", "! invalid packet: a field has a name at byte 2");
    // M08: a byte too many
    check(
        "83 a4|type|02 a4|data|91 a1|e| a3|nsp|a1|/|00",
        "! invalid packet: nothing expected after the value at byte 21",
    );
    // M09: not UTF-8
    value("a2 ff fe", "\u{fffd}\u{fffd}");
    value("81 a1 ff 01", Value::from_iter([("\u{fffd}", 1)]));
    assert_eq!(argument("a2 ff fe").deserialize::<String>().as_deref(), Ok("\u{fffd}\u{fffd}"));
    check("83 a4|type|02 a4|data|91 a1 ff a3|nsp|a2|/|ff", "event /\u{fffd} \"\u{fffd}\" []");
    // M10: names
    lenient("83 a4|type|02 a4|data|90 a3|nsp|a1|/|", "! invalid payload");
    lenient("83 a4|type|02 a4|data|91 c3 a3|nsp|a1|/|", "! invalid payload");
    lenient("83 a4|type|02 a4|data|91 c4 01|e| a3|nsp|a1|/|", "! invalid payload");
    lenient("82 a4|type|02 a3|nsp|a1|/|", "! invalid payload");
    check(
        "83 a4|type|02 a4|data|91 aa|disconnect| a3|nsp|a1|/|",
        "! reserved event name \"disconnect\"",
    );
    check("83 a4|type|02 a4|data|92 a5|error|01 a3|nsp|a1|/|", "ignored");
    // M11: the last counts
    v5("84 a4|type|02 a4|type|01 a4|data|91 a1|e| a3|nsp|a1|/|", "! invalid payload");
    v4("84 a4|type|02 a4|type|01 a4|data|91 a1|e| a3|nsp|a1|/|", "disconnect /");
    check("84 a4|type|01 a4|type|02 a4|data|91 a1|e| a3|nsp|a1|/|", r#"event / "e" []"#);
    check("84 a4|type|02 a4|data|91 a1|e| a4|data|91 a1|f| a3|nsp|a1|/|", r#"event / "f" []"#);
    // M12: not a number
    assert!(argument("cb 7f f8 00 00 00 00 00 00").deserialize::<f64>().unwrap().is_nan());
    assert!(argument("ca 7f c0 00 00").to_values()[0].as_f64().unwrap().is_nan());
    // M13: extension types
    value("91 c7 05 ff 01 02 03 04 05", vec![Bytes::from_static(&[1, 2, 3, 4, 5])]);
    refused("91 c7 ff ff 01 02", "! invalid packet: message does not end here");
}

#[test]
fn limits() {
    let limits = Limits {
        max_packet_bytes: 30,
        max_args: 2,
        max_depth: 2,
        max_namespace_len: 5,
        max_event_len: 2,
        ..Limits::default()
    };
    let limits = Arc::new(limits);
    let mut decoder = Parser::msgpack().decoder(Revision::V5, limits);
    let mut check = |notation: &str, expected: &str| {
        let shown = match decoder.binary(bytes(notation).into()) {
            Ok(decoded) => show(decoded),
            Err(error) => format!("! {error}"),
        };
        assert_eq!(shown, expected, "{notation}");
    };
    check("83 a4|type|02 a4|data|93 a1|e| 01 91 02 a3|nsp|a1|/|", r#"event / "e" [1,[2]]"#);
    check("83 a4|type|02 a4|data|94 a1|e| 01 02 03 a3|nsp|a1|/|", "! too many arguments (limit 2)");
    check("83 a4|type|02 a4|data|92 a1|e| 91 90 a3|nsp|a1|/|", "! nesting too deep (limit 2)");
    check("83 a4|type|02 a4|data|91 a3|eee| a3|nsp|a1|/|", "! event name too long (limit 2 bytes)");
    check("82 a4|type|01 a3|nsp|a6|/chats|", "! namespace too long (limit 5 bytes)");
    check("82 a4|type|00 a3|nsp|a6|/chats|", "connect /chats");
    check(
        "83 a4|type|02 a4|data|92 a1|e| ac|123456789012| a3|nsp|a1|/|",
        "! packet too large (limit 30 bytes)",
    );
    let error = decoder.text(r#"{"type":0,"nsp":"/"           }"#).unwrap_err();
    assert_eq!(error.to_string(), "packet too large (limit 30 bytes)");
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only built")]
struct Tree(Vec<Self>);

#[test]
fn the_deepest_value_fits_a_small_stack() {
    let walk = |max_depth: usize| {
        let depth = max_depth.min(Limits::MAX_DEPTH);
        let mut nested = vec![0x91; depth - 2];
        nested.push(0x90);
        let limits = Arc::new(Limits { max_depth, ..Limits::default() });
        let mut decoder = Parser::msgpack().decoder(Revision::V5, limits);
        let message = Bytes::from(event(&nested));
        let Ok(Some(Decoded::Event { args, .. })) = decoder.binary(message.clone()) else {
            panic!()
        };
        args.deserialize::<Tree>().unwrap();
        let value: Value = args.deserialize().unwrap();
        assert_eq!(value, args.to_values()[0]);
        assert_eq!(encoder().event(0, "/", None, "e", &args), Ok(Encoded::Binary(message)));
        from_value::<Tree>(value).unwrap();
        nested.insert(0, 0x91);
        let error = decoder.binary(event(&nested).into()).unwrap_err();
        assert_eq!(error.to_string(), format!("nesting too deep (limit {depth})"));
    };
    let default = Limits::default().max_depth;
    let size = if cfg!(debug_assertions) { 4 << 20 } else { 2 << 20 };
    for (size, max_depth) in [(2 << 20, default), (size, usize::MAX)] {
        let thread = std::thread::Builder::new().stack_size(size);
        #[expect(clippy::disallowed_methods, reason = "a stack of a known size")]
        thread.spawn(move || walk(max_depth)).unwrap().join().unwrap();
    }
}

#[test]
fn every_prefix_is_harmless() {
    let message = event(&bytes(
        "86 a1|a|c4 02 01 02 a1|b|d7 00 00 00 00 00 00 00 00 00 a1|c|cb 3f f8 00 00 00 00 00 00 \
         a1|d|92 d9 01|x| dc 00 01 c0 a1|e|c7 01 09 00 01 ff",
    ));
    assert!(decode(Revision::V5, &message).starts_with("event"));
    for end in 0..message.len() {
        assert!(decode(Revision::V4, &message[..end]).starts_with('!'), "{end}");
        decode(Revision::V5, &message[end..]);
        // Any byte in place of another.
        for byte in 0..=u8::MAX {
            let mut message = message.clone();
            message[end] = byte;
            decode(Revision::V5, &message);
        }
    }
}

#[test]
fn linear_in_time() {
    // Each of these takes minutes if some part is quadratic.
    let many = |count: u32, member: &[u8]| {
        [&[0xdd], &count.to_be_bytes()[..], &member.repeat(count as usize)].concat()
    };
    for argument in
        [many(3_000_000, &[0xc0]), many(1_000_000, &[0x90]), many(700_000, &[0x81, 1, 2])]
    {
        assert!(decode(Revision::V5, &event(&argument)).starts_with("event"));
    }
}
