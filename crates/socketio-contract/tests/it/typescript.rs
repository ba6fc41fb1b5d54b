//! The declarations, as text.

use std::collections::{BTreeMap, HashMap};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use socketio::{Binary, Value};
use socketio_contract::{Big, contract};

use crate::chat::chat;

#[test]
fn the_chat() {
    chat::contract().check_typescript("tests/it/typescript/chat.ts");
}

#[test]
fn the_same_contract_is_the_same_text() {
    assert_eq!(shapes::contract().typescript(), shapes::contract().typescript());
    shapes::contract().check_typescript("tests/it/typescript/shapes.ts");
}

/// Read as it may be incomplete, written as it is.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Settings {
    /// How it looks.
    ///
    /// Not a `*/` of the language.
    #[serde(default)]
    dark_mode: bool,
    #[serde(rename(serialize = "size", deserialize = "fontSize"))]
    font_size: Option<u8>,
}

/// Has two forms because a part of it has.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Profile {
    settings: Settings,
    #[serde(flatten)]
    rest: HashMap<String, Value>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Point {
    x: f64,
    #[serde(rename = "not an identifier")]
    y: f32,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Tool {
    Pen,
    /// Takes away.
    Eraser,
}

#[derive(Serialize, Deserialize, JsonSchema)]
enum External {
    Unit,
    One(Point),
    Pair(u8, String),
    Fields { tool: Tool },
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "data")]
enum Adjacent {
    Unit,
    One(Vec<Point>),
    Fields { a: bool },
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind")]
enum Internal {
    Unit,
    Of(Point),
    Fields { a: Option<bool> },
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Untagged {
    Number(i16),
    Texts(Vec<String>),
    Nothing,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Wrapper(Box<Tree>);

#[derive(Serialize, Deserialize, JsonSchema)]
struct Tree {
    children: Vec<Self>,
    by_name: BTreeMap<String, Tool>,
    by_number: BTreeMap<u16, char>,
    array: [u8; 3],
    tuple: (u8, Option<String>),
    #[serde(skip_serializing_if = "Option::is_none")]
    maybe: Option<Untagged>,
    unit: (),
    anything: Value,
    parent: Wrapper,
}

/// All kinds of types.
#[contract(namespace = "/shapes", version = "3.1.4")]
#[allow(dead_code)]
mod shapes {
    use super::*;

    pub(super) trait FromClient {
        #[event("settings")]
        fn settings(&self, settings: Settings) -> Profile;
        /// Several
        /// lines.
        fn profile(&self, profile: Profile);
        fn kinds(&self, a: External, b: Adjacent, c: Internal, d: Untagged);
        fn tree(&self, the_tree: Tree);
        fn bytes(&self, r#type: Binary, list: Vec<Binary>);
        fn numbers(&self, i: i64, u: Option<u64>, big: Big<u64>);
        fn optional(&self, first: u8, second: Option<u8>, third: Option<Vec<u8>>);
        fn optional_with_ack(&self, first: Option<u8>) -> Option<u8>;
        fn keyword(&self, default: u8, ack: u8) -> ();
        fn anything(&self, value: Value);
        fn plain(&self, pair: (u8, Vec<(String, Tool)>), three: [Option<bool>; 3]);
    }
    pub(super) trait ToClient {
        #[event("profile changed")]
        fn profile_changed(profile: &Profile, tools: &[Tool], name: Option<&str>);
        #[event("ask \"this\"")]
        async fn ask(what: &str) -> Result<Settings, String>;
    }
}

/// Big integers are text here.
#[contract(big = "string")]
#[allow(dead_code)]
mod strict {
    use socketio_contract::Big;

    pub(super) trait FromClient {
        fn count(&self, count: Big<i64>);
    }
}

#[contract(big = "string")]
#[allow(dead_code)]
mod not_strict {
    pub(super) trait ToClient {
        fn counted(count: u64);
    }
}

#[test]
fn big_integers() {
    let text = strict::contract().typescript().unwrap();
    assert!(text.contains("\"count\": (count: string) => void;"), "{text}");
    let error = not_strict::contract().typescript().unwrap_err().to_string();
    let expected = "event \"counted\": the value of `u64` is an integer of 64 bits, of which \
                    JavaScript reads the first 53; `Big` sends it as text";
    assert_eq!(error, expected);
    assert_eq!(shapes::contract().warnings().len(), 2);
    assert_eq!(Big(u64::MAX).to_string(), u64::MAX.to_string());
}
