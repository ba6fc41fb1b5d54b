//! Messages to packets.

use super::{check, decoder, text, v4, v5};
use crate::Revision;

#[test]
fn packets() {
    check("82 a4|type|00 a3|nsp|a1|/|", "connect /");
    check("83 a4|type|00 a4|data|d4 00 00 a3|nsp|a5|/chat|", "connect /chat");
    v5("83 a4|type|00 a4|data|81 a1|t|01 a3|nsp|a1|/|", r#"connect / [{"t":1}]"#);
    check("82 a4|type|01 a3|nsp|a5|/chat|", "disconnect /chat");
    check("83 a4|type|01 a4|data|d4 00 00 a3|nsp|a1|/|", "disconnect /");
    // What is missing is `undefined` to clients in JavaScript, and `nil` to those in Python.
    for missing in ["c0", "d4 00 00"] {
        let packet = |kind: &str, data: &str| {
            format!(
                "85 a4|type|{kind} a4|data|{data} a3|nsp|a2|/a| a2|id|{missing} a7|options|{missing}"
            )
        };
        check(&packet("00", missing), "connect /a");
        check(&packet("01", missing), "disconnect /a");
        check(&packet("02", "92 a1|e|c0"), r#"event /a "e" [null]"#);
        check(&packet("03", "90"), "ignored");
        check(&packet("04", missing), "error /a");
    }
    // Event names that are numbers, as JavaScript prints them.
    for (number, name) in [
        ("07", "7"),
        ("f9", "-7"),
        ("d1 ff 00", "-256"),
        ("cb 3f f8 00 00 00 00 00 00", "1.5"),
        ("ca 3f c0 00 00", "1.5"),
        ("cb 80 00 00 00 00 00 00 00", "0"),
        ("cf 00 20 00 00 00 00 00 01", "9007199254740992"),
        ("cf ff ff ff ff ff ff ff ff", "18446744073709552000"),
        ("cb 44 4b 1a e4 d6 e2 ef 50", "1e+21"),
        ("cb 7f f0 00 00 00 00 00 00", "Infinity"),
        ("cb 7f f8 00 00 00 00 00 00", "NaN"),
    ] {
        check(
            &format!("84 a4|type|02 a4|data|92 {number} 01 a3|nsp|a1|/| a2|id|03"),
            &format!("event / #3 {name:?} [1]"),
        );
    }
    check(
        "83 a4|type|02 a4|data|93 a4|echo|01 81 a1|a|c4 02 01 02 a3|nsp|a1|/|",
        r#"event / "echo" [1,{"a":[1,2]}]"#,
    );
    check(
        "84 a4|type|02 a4|data|92 a4|echo|c0 a3|nsp|a5|/chat| a2|id|07",
        r#"event /chat #7 "echo" [null]"#,
    );
    check(
        "84 a2|id|cf ff ff ff ff ff ff ff ff a4|type|03 a4|data|91 01 a3|nsp|a1|/|",
        "ack / #18446744073709551615 [1]",
    );
    check("84 a2|id|00 a4|type|03 a4|data|90 a3|nsp|a1|/|", "ack / #0 []");
    check("83 a4|type|04 a4|data|a2|no| a3|nsp|a1|/|", r#"error / ["no"]"#);
    check("83 a4|type|04 a4|data|81 a1|a|01 a3|nsp|a1|/|", r#"error / [{"a":1}]"#);
    // The order of the fields is free; other fields do not matter.
    check(
        "85 a1|x|92 01 81 a1|y|90 a3|nsp|a1|/| a2|id|d4 00 00 a4|data|91 a1|e| a4|type|02",
        r#"event / "e" []"#,
    );
    // Releases 2.1 and later mark packets with bytes.
    check("83 a4|type|05 a4|data|92 a1|e|c4 01 09 a3|nsp|a1|/|", r#"event / "e" [[9]]"#);
    check("84 a4|type|06 a4|data|91 c4 01 09 a3|nsp|a1|/| a2|id|01", "ack / #1 [[9]]");
    // Longer forms than needed, as other codecs may write.
    check(
        "df 00 00 00 03 d9 04|type|d3 00 00 00 00 00 00 00 02 da 00 04|data|dc 00 01 db 00 00 00 01|e| a3|nsp|a1|/|",
        r#"event / "e" []"#,
    );
}

#[test]
fn queries() {
    v4("82 a4|type|00 a3|nsp|ad|/chat?token=x|", "connect /chat ?token=x");
    v5("82 a4|type|00 a3|nsp|ad|/chat?token=x|", "connect /chat?token=x");
    text(Revision::V4, r#"{"type":0,"nsp":"/chat?token=x"}"#, "connect /chat ?token=x");
    text(Revision::V4, r#"{"type":0,"nsp":"/?a"}"#, "connect / ?a");
}

#[test]
fn text_forms() {
    for revision in [Revision::V4, Revision::V5] {
        text(revision, r#"{"type":0,"nsp":"/chat"}"#, "connect /chat");
        text(revision, r#" { "nsp" : "\/é" , "type" : 1 } "#, "disconnect /é");
        text(revision, r#"{"type":1,"nsp":"/","options":{"compress":[true]}}"#, "disconnect /");
        text(revision, r#"{"type":4,"nsp":"/","data":{"a":[1]}}"#, r#"error / [{"a":[1]}]"#);
        text(
            revision,
            r#"{"data":["e",[{"a":"\ud800"}],2],"id":7,"type":2,"nsp":"/"}"#,
            "event / #7 \"e\" [[{\"a\":\"\u{fffd}\"}],2]",
        );
        text(revision, r#"{"type":3,"id":7,"nsp":"/","data":[]}"#, "ack / #7 []");
        text(revision, r#"{"type":1,"nsp":"/","data":null,"id":null}"#, "disconnect /");
        text(revision, r#"{"type":0,"nsp":"/","data":null}"#, "connect /");
        text(revision, r#"{"type":2,"nsp":"/","data":[7,1]}"#, r#"event / "7" [1]"#);
        // The last counts.
        text(revision, r#"{"type":0,"nsp":"/a","type":1,"nsp":"/b"}"#, "disconnect /b");
        for message in ["", "x", "[]", "2", "\"\"", "null", r#"2["e",1]"#, r#"{"type":0,"#] {
            assert!(decoder(revision).text(message).is_err(), "{message}");
        }
        for message in [r#"{"type":0,"nsp":"/"}}"#, r#"{"type":0,"nsp":"/"} 1"#] {
            assert!(decoder(revision).text(message).is_err(), "{message}");
        }
    }
    text(Revision::V5, r#"{"type":0,"nsp":"/","data":{"t":1}}"#, r#"connect / [{"t":1}]"#);
    for (message, error) in [
        (r#"{"type":0}"#, "! invalid packet: nsp missing or wrong"),
        (r#"{"type":0,"nsp":5}"#, "! invalid packet: nsp missing or wrong"),
        (r#"{"type":0,"nsp":"chat"}"#, "! invalid packet: nsp missing or wrong"),
        (r#"{"nsp":"/"}"#, "! invalid packet: type missing or wrong"),
        (r#"{"type":"0","nsp":"/"}"#, "! invalid packet: type missing or wrong"),
        (r#"{"type":-1,"nsp":"/"}"#, "! invalid packet: type missing or wrong"),
        (r#"{"type":7,"nsp":"/"}"#, "! invalid packet: type missing or wrong"),
        (r#"{"type":{"type":0},"nsp":"/"}"#, "! invalid packet: type missing or wrong"),
        (r#"{"type":2,"nsp":"/","data":["e"],"id":"x"}"#, "! invalid acknowledgement id"),
        (r#"{"type":2,"nsp":"/","data":["e"],"id":-1}"#, "! invalid acknowledgement id"),
        (r#"{"type":1,"nsp":"/","data":1}"#, "! invalid payload"),
        (r#"{"type":2,"nsp":"/"}"#, "! invalid payload"),
    ] {
        text(Revision::V5, message, error);
        text(Revision::V4, message, "ignored");
    }
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(512), "]".repeat(512));
    text(Revision::V5, &deep, "! invalid packet: type missing or wrong");
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(513), "]".repeat(513));
    text(Revision::V5, &deep, "! nesting too deep (limit 513)");
}
