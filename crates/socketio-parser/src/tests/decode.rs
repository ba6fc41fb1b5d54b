//! Messages to packets, both protocols.

use std::sync::Arc;

use bytes::Bytes;

use super::{decode, decoder};
use crate::{Decoder, Limits, Parser, Revision};

#[track_caller]
fn v4(text: &str, binary: &[&[u8]], expected: &str) {
    assert_eq!(decode(Revision::V4, text, binary), expected, "protocol 4, {text:?}");
}

#[track_caller]
fn v5(text: &str, binary: &[&[u8]], expected: &str) {
    assert_eq!(decode(Revision::V5, text, binary), expected, "protocol 5, {text:?}");
}

#[track_caller]
fn check(text: &str, expected: &str) {
    v4(text, &[], expected);
    v5(text, &[], expected);
}

/// Protocol 4 ignores what protocol 5 refuses.
#[track_caller]
fn lenient(text: &str, error: &str) {
    v4(text, &[], "ignored");
    v5(text, &[], error);
}

#[track_caller]
fn binary(text: &str, binary: &[&[u8]], expected: &str) {
    v4(text, binary, expected);
    v5(text, binary, expected);
}

#[test]
fn packets() {
    check("0", "connect /");
    check("0/chat", "connect /chat");
    check("0/chat,", "connect /chat");
    check("0/", "connect /");
    check("1", "disconnect /");
    check("1/chat", "disconnect /chat");
    check("1/chat,", "disconnect /chat");
    check(r#"2["name",1,{"a":2}]"#, r#"event / "name" [1,{"a":2}]"#);
    check(r#"2["name"]"#, r#"event / "name" []"#);
    check(r#"27["name"]"#, r#"event / #7 "name" []"#);
    check(r#"20["name"]"#, r#"event / #0 "name" []"#);
    check(r#"2/chat,7["name"]"#, r#"event /chat #7 "name" []"#);
    check(r#"2/chat,["name",[]]"#, r#"event /chat "name" [[]]"#);
    check(r#"2/é,["ü"]"#, r#"event /é "ü" []"#);
    check(r#"37[1,"x"]"#, r#"ack / #7 [1,"x"]"#);
    check("3/chat,7[]", "ack /chat #7 []");
    check("37[ ]", "ack / #7 []");
    check(r#"4"text""#, r#"error / ["text"]"#);
    check(r#"4/chat,{"code":7}"#, r#"error /chat [{"code":7}]"#);
    check("4", "error /");
}

#[test]
fn connect() {
    v5(r#"0{"token":"x"}"#, &[], r#"connect / [{"token":"x"}]"#);
    v5(r#"0/chat,{"token":"x"}"#, &[], r#"connect /chat [{"token":"x"}]"#);
    v5("0/chat?token=x,", &[], "connect /chat?token=x");
    v4("0/chat?token=x", &[], "connect /chat ?token=x");
    v4("0/chat?token=x&a=?,", &[], "connect /chat ?token=x&a=?");
    v4("0/?token=x", &[], "connect / ?token=x");
    v4("0[]", &[], "connect /");
    lenient("0\"x\"", "! invalid payload");
    lenient("0null", "! invalid payload");
    v5("0[]", &[], "! invalid payload");
    v4("0{}", &[], "ignored");
    check("0{", "! invalid payload: text does not end here at byte 1");
    check("0 {}", "! invalid payload");
    // A name that is too long is answered by the layer above; only CONNECT may have one.
    let long = format!("/{}", "n".repeat(512));
    check(&format!("0{long}"), &format!("connect {long}"));
    check(&format!("2{long},[\"e\"]"), "! namespace too long (limit 512 bytes)");
    check(&format!("2{},[\"e\"]", &long[..512]), &format!("event {} \"e\" []", &long[..512]));
}

#[test]
fn types() {
    check("", "! empty packet");
    lenient("7", "! unknown packet type '7'");
    lenient("9", "! unknown packet type '9'");
    lenient("a", "! unknown packet type 'a'");
    lenient("x", "! unknown packet type 'x'");
    lenient("-1", "! unknown packet type '-'");
    lenient("é", "! unknown packet type 'é'");
    lenient("\0", "! unknown packet type '\\0'");
}

#[test]
fn shape_of_the_payload() {
    lenient("2", "! invalid payload");
    lenient("27", "! invalid payload");
    lenient("2/chat", "! invalid payload");
    lenient("2{}", "! invalid payload");
    lenient("2\"x\"", "! invalid payload");
    lenient("2[]", "! invalid payload");
    lenient("2[null]", "! invalid payload");
    lenient("2[true]", "! invalid payload");
    lenient("2[{}]", "! invalid payload");
    lenient("2[[\"e\"]]", "! invalid payload");
    check("3[1]", "ignored"); // an answer to nothing
    lenient("31{}", "! invalid payload");
    lenient("31", "! invalid payload");
    lenient("1{}", "! invalid payload");
    v5("1[]", &[], "! invalid payload");
}

#[test]
fn event_names() {
    for name in
        ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]
    {
        check(&format!("2[{name:?}]"), &format!("! reserved event name {name:?}"));
    }
    check(r#"2["c\u006fnnect"]"#, r#"! reserved event name "connect""#);
    check(r#"2["error","boo"]"#, "ignored");
    // Numbers, as JavaScript prints what it reads.
    for (number, name) in [
        ("7", "7"),
        ("-7", "-7"),
        ("0", "0"),
        ("-0", "0"),
        ("1.50", "1.5"),
        ("1e0", "1"),
        ("1E+2", "100"),
        ("1e21", "1e+21"),
        ("1e-7", "1e-7"),
        ("9007199254740993", "9007199254740992"),
        ("18446744073709551616", "18446744073709552000"),
        ("1e400", "Infinity"),
        ("-1e400", "-Infinity"),
    ] {
        check(&format!("2[{number}]"), &format!("event / {name:?} []"));
        check(
            &format!(r#"2/a,3[ {number} ,"x",{{}}]"#),
            &format!(r#"event /a #3 {name:?} ["x",{{}}]"#),
        );
        let text = format!(r#"51-[{number},{{"_placeholder":true,"num":0}}]"#);
        binary(&text, &[b"\x01"], &format!("event / {name:?} [[1]]"));
    }
    check(r#"2["error",{}]"#, "ignored");
    check(r#"2["toString"]"#, r#"event / "toString" []"#);
    check(r#"2["__proto__"]"#, r#"event / "__proto__" []"#);
    check(r#"2[""]"#, r#"event / "" []"#);
    check(r#"2["a\n\"\\\/\u00e9\ud83d\ude00"]"#, r#"event / "a\n\"\\/é😀" []"#);
    let longest = "n".repeat(4096);
    check(&format!("2[\"{longest}\"]"), &format!("event / \"{longest}\" []"));
    check(&format!("2[\"{longest}n\"]"), "! event name too long (limit 4096 bytes)");
}

#[test]
fn acknowledgement_ids() {
    check(r#"29007199254740991["e",1]"#, r#"event / #9007199254740991 "e" [1]"#);
    check(r#"218446744073709551615["e"]"#, r#"event / #18446744073709551615 "e" []"#);
    check(r#"218446744073709551616["e"]"#, "! invalid acknowledgement id");
    check(&format!("2{}[\"e\",1]", "9".repeat(400)), "! invalid acknowledgement id");
    check("3007[]", "ack / #7 []");
    check(r#"2-1["e",1]"#, "! invalid payload: nothing expected after the value at byte 2");
    check(r#"21.5["e",1]"#, "! invalid payload: value expected at byte 0");
    check(r#"2 ["e",1]"#, "! invalid payload");
    check("2\n[\"e\",1]", "! invalid payload");
    check(r#"27 ["e",1]"#, "! invalid payload");
}

#[test]
fn json_grammar() {
    let syntax = |text: &str, reason: &str, at: usize| {
        check(text, &format!("! invalid payload: {reason} at byte {at}"));
    };
    check("2[\"e\",1]  \n", r#"event / "e" [1]"#);
    check("2[ \"e\" ,\t1 , { \"a\" : [ ] } ]\r\n", r#"event / "e" [1,{"a":[]}]"#);
    check(r#"2["e",true,false,null]"#, r#"event / "e" [true,false,null]"#);
    check(r#"2["e",0,-0,-1,1.5,1e3,2E-2,0.0]"#, r#"event / "e" [0,-0.0,-1,1.5,1000.0,0.02,0.0]"#);
    check(
        r#"2["e",9223372036854775807,18446744073709551615]"#,
        r#"event / "e" [9223372036854775807,18446744073709551615]"#,
    );
    check(r#"2["e",123456789012345678901234567890]"#, r#"event / "e" [1.2345678901234568e+29]"#);
    check(r#"2["e",1e999]"#, r#"event / "e" [null]"#);
    check(r#"2["e",{"a":1,"b":3,"a":2}]"#, r#"event / "e" [{"a":2,"b":3}]"#);
    check(
        r#"2["e",{"__proto__":{"x":1},"constructor":2}]"#,
        r#"event / "e" [{"__proto__":{"x":1},"constructor":2}]"#,
    );
    check("2[\"e\",\"\u{2028}\u{7f}\"]", "event / \"e\" [\"\u{2028}\u{7f}\"]");
    syntax(r#"2["e","#, "text does not end here", 5);
    syntax(r#"2["e""#, "text does not end here", 4);
    syntax(r#"2["e"#, "string does not end", 3);
    syntax("2[", "text does not end here", 1);
    syntax(r#"2["e",1]x"#, "nothing expected after the value", 7);
    syntax(r#"2["e",1]]"#, "nothing expected after the value", 7);
    syntax(r#"2["e",1}"#, "comma or closing bracket expected", 6);
    syntax(r#"2["e",{"a":1]"#, "comma or closing bracket expected", 11);
    syntax(r#"2["e" 1]"#, "comma or closing bracket expected", 5);
    syntax(r#"2["e",]"#, "value expected", 5);
    syntax(r#"2["e",,1]"#, "value expected", 5);
    syntax(r#"2[,]"#, "value expected", 1);
    syntax(r#"2["e",NaN]"#, "value expected", 5);
    syntax(r#"2["e",nul]"#, "value expected", 5);
    syntax(r#"2["e",True]"#, "value expected", 5);
    syntax(r#"2["e",'a']"#, "value expected", 5);
    syntax(r#"2["e",01]"#, "comma or closing bracket expected", 6);
    syntax(r#"2["e",-]"#, "digit expected", 6);
    syntax(r#"2["e",+1]"#, "value expected", 5);
    syntax(r#"2["e",1.]"#, "digit expected", 7);
    syntax(r#"2["e",.5]"#, "value expected", 5);
    syntax(r#"2["e",1e]"#, "digit expected", 7);
    syntax(r#"2["e",0x1]"#, "comma or closing bracket expected", 6);
    syntax(r#"2["e",{a:1}]"#, "key expected", 6);
    syntax(r#"2["e",{1:1}]"#, "key expected", 6);
    syntax(r#"2["e",{"a"}]"#, "colon expected", 9);
    syntax(r#"2["e",{"a":}]"#, "value expected", 10);
    syntax(r#"2["e",{"a":1,}]"#, "key expected", 12);
    syntax(r#"2["e",{,}]"#, "key expected", 6);
    syntax("2[\"e\",\"\u{1}\"]", "raw control character in a string", 6);
    syntax("2[\"e\",\"a\nb\"]", "raw control character in a string", 7);
    syntax(r#"2["e","\x"]"#, "invalid escape", 6);
    syntax(r#"2["e","\u12"]"#, "invalid escape", 6);
    syntax(r#"2["e","\u00g0"]"#, "invalid escape", 6);
    syntax(r#"2["e","\"]"#, "string does not end", 9);
    syntax(r#"2["e"]/**/"#, "nothing expected after the value", 5);
    syntax("2[\"e\"]\u{a0}", "nothing expected after the value", 5);
}

#[test]
fn lone_surrogates() {
    check(r#"2["e","\udfff"]"#, "event / \"e\" [\"\u{fffd}\"]");
    check(r#"2["\ud800"]"#, "event / \"\u{fffd}\" []");
    check(
        r#"2["e","\ud83dx\ude00","\ud83d\ud83d\ude00"]"#,
        "event / \"e\" [\"\u{fffd}x\u{fffd}\",\"\u{fffd}😀\"]",
    );
    check(r#"2["e",{"\ud800":"\\ud800"}]"#, "event / \"e\" [{\"\u{fffd}\":\"\\\\ud800\"}]");
    v5(r#"0{"a":"\ud800"}"#, &[], "connect / [{\"a\":\"\u{fffd}\"}]");
    binary(
        r#"51-["e","\ud800",{"_placeholder":true,"num":0}]"#,
        &[b"\x01"],
        "event / \"e\" [\"\u{fffd}\",[1]]",
    );
    // Typed reading goes through serde_json, which would refuse half a pair.
    let mut decoder = decoder(Revision::V5);
    let decoded = decoder.text(r#"2["e","\udfff"]"#);
    let Ok(Some(crate::Decoded::Event { args, .. })) = decoded else { panic!("{decoded:?}") };
    assert_eq!(args.deserialize::<String>().as_deref(), Ok("\u{fffd}"));
}

#[test]
fn attachments() {
    binary(r#"51-["e",{"_placeholder":true,"num":0}]"#, &[b"\x01\x02"], r#"event / "e" [[1,2]]"#);
    binary(
        r#"52-/chat,7["e",{"a":[{"num":1,"_placeholder":true}]},{"_placeholder":true,"num":0}]"#,
        &[b"\x01", b""],
        r#"event /chat #7 "e" [{"a":[[]]},[1]]"#,
    );
    binary(r#"61-7[{"_placeholder":true,"num":0}]"#, &[b"\x01"], "ack / #7 [[1]]");
    binary(r#"61-/chat,7[{"_placeholder":true,"num":0},1]"#, &[b"\x01"], "ack /chat #7 [[1],1]");
    // Not all of them are asked for.
    binary(r#"51-["e",1]"#, &[b"\x01"], r#"event / "e" [1]"#);
    // As the Node: the key alone decides, further members do not count.
    binary(r#"51-["e",{"_placeholder":true,"num":0,"x":1}]"#, &[b"\x01"], r#"event / "e" [[1]]"#);
    binary(r#"51-["e",{"\u005fplaceholder":true,"num":0}]"#, &[b"\x01"], r#"event / "e" [[1]]"#);
    binary(
        r#"51-["e",{"_placeholder":1,"num":9},{"_placeholder":false}]"#,
        &[b"\x01"],
        r#"event / "e" [{"_placeholder":1,"num":9},{"_placeholder":false}]"#,
    );
    // Ordinary data where there are no attachments.
    check(
        r#"2["e",{"_placeholder":true,"num":5}]"#,
        r#"event / "e" [{"_placeholder":true,"num":5}]"#,
    );
    binary(r#"51-["error",{"_placeholder":true,"num":0}]"#, &[b"\x01"], "ignored");
    check(r#"51-["connect"]"#, r#"! reserved event name "connect""#);
    binary(
        r#"51-["e",{"_placeholder":true,"num":0}]"#,
        &[b"\x01", b"\x02"],
        r#"event / "e" [[1]] then ! binary message without packet"#,
    );
    binary(r#"52-["e"]"#, &[b"\x01"], "waiting");
}

#[test]
fn number_of_attachments() {
    check(r#"5x-["e"]"#, "! Illegal attachments");
    check(r#"5["e"]"#, "! Illegal attachments");
    check(r#"51["e"]"#, "! Illegal attachments");
    check(r#"51.5-["e"]"#, "! Illegal attachments");
    check(r#"51e1-["e"]"#, "! Illegal attachments");
    check(r#"50x1-["e"]"#, "! Illegal attachments");
    check(r#"5 1-["e"]"#, "! Illegal attachments");
    check(r#"5+1-["e"]"#, "! Illegal attachments");
    check(r#"5/chat,1-["e"]"#, "! Illegal attachments");
    check("5", "! Illegal attachments");
    check("6", "! Illegal attachments");
    check("51", "! Illegal attachments");
    check(r#"511-["e"]"#, "! too many attachments (limit 10)");
    check(r#"510-["e"]"#, "waiting");
    check(r#"51000000000-["e"]"#, "! too many attachments (limit 10)");
    check(&format!("5{}-[\"e\"]", "9".repeat(400)), "! too many attachments (limit 10)");
    v5(r#"5-1-["e"]"#, &[], "! Illegal attachments");
    v4(r#"5-1-["e"]"#, &[], "! invalid payload: digit expected at byte 1");
    v5(r#"5-["e",1]"#, &[], "! Illegal attachments");
    v4(r#"5-["e",1]"#, &[], r#"event / "e" [1]"#);
    v5(r#"50-["e",1]"#, &[], "! Illegal attachments");
    v4(r#"50-["e",1]"#, &[], r#"event / "e" [1]"#);
    v5("60-7[1]", &[], "! Illegal attachments");
    v4("60-7[1]", &[], "ack / #7 [1]");
}

#[test]
fn placeholders() {
    for num in ["1", "-1", "-0", "\"splice\"", "\"0\"", "0.5", "0.0", "1e0", "null", "[0]", "{}"] {
        let text = format!(r#"51-["e",{{"_placeholder":true,"num":{num}}}]"#);
        check(&text, "! placeholder without attachment");
    }
    check(r#"51-["e",{"_placeholder":true}]"#, "! placeholder without attachment");
    check(r#"51-["e",{"a":{"_placeholder":true}}]"#, "! placeholder without attachment");
    check(r#"51-["e",{"_placeholder":true,"num":0,"num":1}]"#, "! placeholder without attachment");
    check(
        r#"51-["e",{"num":0,"a":{"num":3},"_placeholder":true,"b":{"_placeholder":true}}]"#,
        "! placeholder without attachment",
    );
    check(
        r#"61-7[{"_placeholder":true,"num":18446744073709551616}]"#,
        "! placeholder without attachment",
    );
    // One attachment more than once, however it is spelled and wherever it stands.
    let plain = r#"{"_placeholder":true,"num":0}"#;
    for other in [
        plain,
        r#"{ "_placeholder":true,"num":0}"#,
        r#"{"num":0,"_placeholder":true}"#,
        r#"[{"a":{"_placeholder":true,"num":0}}]"#,
        r#"{"_placeholder":true,"num":1,"x":{"_placeholder":true,"num":1}}"#,
    ] {
        for text in [
            format!(r#"52-["e",{plain},{other}]"#),
            format!(r#"52-["e",{other},{plain},{plain}]"#),
            format!("62-7[{other},{plain},{plain}]"),
        ] {
            check(&text, "! attachment with two placeholders");
        }
    }
    // Bytes as the name.
    v5(r#"51-[{"_placeholder":true,"num":0}]"#, &[b"\x01"], "! invalid payload");
    v4(r#"51-[{"_placeholder":true,"num":0}]"#, &[b"\x01"], "ignored");
    v4("51-[]", &[b"\x01"], "ignored");
    v4("61-[]", &[b"\x01"], "ignored");
}

/// Plain elements are taken without the tokens, unless a blank lies before them.
#[test]
fn plain_elements_are_what_the_tokens_take() {
    let elements = [
        r#""a""#,
        r#""""#,
        r#""é""#,
        r#""a\"b""#,
        "\"\u{1}\"",
        r#""never ends"#,
        "7",
        "10",
        "1.5",
        "01",
        "[\"a\"]",
        "{}",
        r#"{"_placeholder":true,"num":0}"#,
        r#"{"_placeholder":true,"num":1}"#,
        r#"{"num":1,"_placeholder":true}"#,
        r#"{"_placeholder":true,"num":2}"#,
        r#"{"_placeholder":true,"num":00}"#,
        r#"{"_placeholder":true,"num":0"#,
        r#"{"_placeholder":true,"num":}"#,
        r#"{"_placeholder":true,"num":0,"a":1}"#,
        r#"{"_placeholder":true,"num":99999999999999999999}"#,
        "",
    ];
    let binary: [&[u8]; 2] = [&[1], &[2]];
    for head in ["2", "52-", "35"] {
        for revision in [Revision::V4, Revision::V5] {
            for first in elements {
                for second in elements {
                    for end in ["]", ",\"z\"]", ",]", "] ", "]]", ""] {
                        let plain = format!("{head}[{first},{second}{end}");
                        let blank = format!("{head}[ {first}, {second}{end}");
                        let show = |text: &str| {
                            let shown = decode(revision, text, &binary);
                            // the places of errors differ by the blanks
                            shown.split(" at ").next().map(str::to_owned)
                        };
                        assert_eq!(show(&plain), show(&blank), "{plain}");
                    }
                }
            }
        }
    }
}

#[test]
fn plain_elements_are_under_the_limits() {
    let check = |text: &str, limits: Limits, expected: &str| {
        let mut decoder = Parser::json().decoder(Revision::V5, Arc::new(limits));
        let error = decoder.text(text).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let limits = Limits { max_args: 2, ..Limits::default() };
    check(r#"2["e","1","2","3"]"#, limits, "arguments");
    for max_depth in [0, 1] {
        let limits = Limits { max_depth, ..Limits::default() };
        check(r#"51-["e",{"_placeholder":true,"num":0}]"#, limits, "deep");
    }
}

#[test]
fn order_of_messages() {
    let mut decoder = decoder(Revision::V5);
    assert_eq!(
        decoder.binary(Bytes::new()).map_err(|error| error.to_string()),
        Err("binary message without packet".into())
    );
    assert!(!decoder.is_waiting());
    assert_eq!(decoder.text(r#"51-/a,["e",{"_placeholder":true,"num":0}]"#), Ok(None));
    assert!(decoder.is_waiting());
    assert_eq!(
        decoder.text(r#"2["e",1]"#).map_err(|error| error.to_string()),
        Err("text message while attachments are awaited".into())
    );
    assert_eq!(
        super::show(decoder.binary(Bytes::from_static(b"\x01")).unwrap()),
        r#"event /a "e" [[1]]"#
    );
    assert!(!decoder.is_waiting());
    assert_eq!(
        decoder.binary(Bytes::new()).map_err(|error| error.to_string()),
        Err("binary message without packet".into()),
        "the packet is complete"
    );
    // The namespace does not outlive its packet.
    assert_eq!(decoder.text(r#"51-["e"]"#), Ok(None));
    assert_eq!(super::show(decoder.binary(Bytes::new()).unwrap()), r#"event / "e" []"#);
    assert_eq!(super::show(decoder.text(r#"2["e"]"#).unwrap()), r#"event / "e" []"#);
}

#[test]
fn released_packets_are_gone() {
    let mut decoder = decoder(Revision::V5);
    decoder.release();
    let text = r#"51-["e",{"_placeholder":true,"num":0}]"#;
    assert_eq!(decoder.text(text), Ok(None));
    decoder.release(); // it waits still
    assert!(decoder.is_waiting());
    assert!(decoder.binary(Bytes::new()).is_ok_and(|packet| packet.is_some()));
    assert!(!format!("{decoder:?}").contains("Json(None)"));
    decoder.release();
    assert!(format!("{decoder:?}").contains("Json(None)"));
}

#[test]
fn small_while_idle() {
    // Part of every connection.
    assert!(size_of::<Decoder>() <= 48, "{}", size_of::<Decoder>());
}
