//! A contract as TypeScript declarations, for the generics of the official client.

mod text;
mod types;

use std::error::Error;
use std::fmt;
use std::fmt::Write as _;

use crate::describe::{Ack, Big64, Contract, Direction, Event, Flow, Names, Typed};

use self::text::{comment, quoted};
use self::types::Types;

impl Contract {
    /// The declarations of the events and types, for `socket.io-client` 3 and later: a module of types
    /// alone, whose last one is that of the page's socket. The same contract is always the same text.
    ///
    /// ```ts
    /// import { io } from "socket.io-client";
    /// import type { ChatSocket } from "./chat";
    /// const socket: ChatSocket = io();
    /// ```
    ///
    /// # Errors
    /// [`TypeScriptError`]: with `#[contract(big = "string")]`, an integer of 64 bits that is no
    /// [`Big`](crate::Big).
    pub fn typescript(&self) -> Result<String, TypeScriptError> {
        if self.big == Big64::String {
            if let Some(first) = self.warnings().into_iter().next() {
                return Err(TypeScriptError { message: first });
            }
        }
        Ok(Writer::new(self).file())
    }
}

/// Why a contract has no TypeScript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeScriptError {
    message: String,
}

impl fmt::Display for TypeScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for TypeScriptError {}

struct Writer<'a> {
    contract: &'a Contract,
    names: Names,
    /// The name of the socket's type.
    socket: String,
    out: String,
}

impl<'a> Writer<'a> {
    fn new(contract: &'a Contract) -> Self {
        let socket = pascal_case(contract.name) + "Socket";
        let mut reserved = RESERVED.to_vec();
        reserved.push(&socket);
        let names = Names::of(contract, &reserved);
        Self { contract, names, socket, out: String::new() }
    }

    fn file(mut self) -> String {
        let contract = self.contract;
        line(
            &mut self.out,
            format_args!(
                "// The contract `{}`, version {}: written from its Rust source, not to be edited.",
                contract.name, contract.version
            ),
        );
        line(&mut self.out, format_args!("import type {{ Socket }} from \"socket.io-client\";"));
        self.out.push('\n');
        comment(&mut self.out, "", contract.docs);
        line(
            &mut self.out,
            format_args!(
                "export type {} = Socket<ServerToClientEvents, ClientToServerEvents>;",
                self.socket
            ),
        );
        line(
            &mut self.out,
            format_args!(
                "\n/** The namespace of the contract. */\nexport type Namespace = {};",
                quoted(contract.namespace)
            ),
        );
        self.events("ClientToServerEvents", "What the client may send.", &contract.from_client);
        self.events("ServerToClientEvents", "What the client hears.", &contract.to_client);
        if contract.events().any(|event| matches!(event.ack, Ack::Result(..))) {
            self.out.push_str(ACK);
        }
        if !contract.from_client.is_empty() {
            self.out.push_str(BROKEN);
        }
        let definitions = self.names.all(contract);
        let mut text = String::new();
        for (name, (schema, flow, _)) in definitions {
            text.push('\n');
            self.types(flow).definition(&mut text, name, schema);
        }
        self.out + &text
    }

    const fn types(&self, flow: Flow) -> Types<'_> {
        Types { names: &self.names, flow }
    }

    fn events(&mut self, interface: &str, docs: &str, events: &[Event]) {
        let mut text = format!("\n/** {docs} */\nexport interface {interface} {{\n");
        for event in events {
            comment(&mut text, "  ", event.docs);
            let _ = writeln!(text, "  {}: {};", quoted(event.name), self.event(event));
        }
        // only who sends can break a contract
        if interface == "ServerToClientEvents" && !self.contract.from_client.is_empty() {
            text.push_str(TOLD);
        }
        text.push_str("}\n");
        self.out.push_str(&text);
    }

    fn event(&self, event: &Event) -> String {
        let (there, back) = event.flows();
        let mut names = Vec::new();
        let mut parameters = Vec::new();
        let has_ack = event.is_acknowledged();
        for (at, (name, typed)) in event.arguments.iter().enumerate() {
            let name = parameter(name, &mut names);
            // what is missing at the end is read as `null`
            let may_be_left_out = event.direction == Direction::FromClient
                && !has_ack
                && event.arguments[at..].iter().all(|(_, typed)| typed.is_nullable);
            let optional = if may_be_left_out { "?" } else { "" };
            parameters.push(format!("{name}{optional}: {}", self.typed(typed, there)));
        }
        let ack = match &event.ack {
            Ack::None => None,
            Ack::Empty => Some("() => void".to_owned()),
            Ack::Plain(typed) => {
                let name = parameter(event.method, &mut Vec::new());
                Some(format!("({name}: {}) => void", self.typed(typed, back)))
            }
            Ack::Result(value, error) => {
                let (value, error) = (self.typed(value, back), self.typed(error, back));
                let error = match event.direction {
                    Direction::FromClient => format!("Ack<{value}, {error}>"),
                    Direction::ToClient => format!("Answer<{value}, {error}>"),
                };
                Some(format!("(answer: {error}) => void"))
            }
        };
        if let Some(ack) = ack {
            parameters.push(format!("{}: {ack}", parameter("ack", &mut names)));
        }
        format!("({}) => void", parameters.join(", "))
    }

    fn typed(&self, typed: &Typed, flow: Flow) -> String {
        self.types(flow).inline(&typed.schema, &typed.rust)
    }
}

fn line(out: &mut String, line: fmt::Arguments<'_>) {
    // a `String` takes everything
    let _ = writeln!(out, "{line}");
}

/// `my_chat` as `MyChat`.
fn pascal_case(name: &str) -> String {
    let words = name.split('_').filter(|word| !word.is_empty());
    words
        .map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|c| c.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        })
        .collect()
}

/// `the_name` as `theName`, not a word of the language and not one of `others`.
fn parameter(name: &str, others: &mut Vec<String>) -> String {
    let pascal = pascal_case(name.trim_start_matches("r#"));
    let mut letters = pascal.chars();
    let first = letters.next().map(|c| c.to_ascii_lowercase());
    let mut name: String = first.into_iter().chain(letters).collect();
    if name.is_empty() {
        name.push('_');
    }
    while others.contains(&name) || KEYWORDS.contains(&&*name) {
        name.push('_');
    }
    others.push(name.clone());
    name
}

const ACK: &str = "
/** An answer that says whether it is one of success. */
export type Answer<T, E> = { ok: true; value: T } | { ok: false; error: E };

/** The server's: it may also say that the event was invalid. */
export type Ack<T, E> = Answer<T, E | InvalidEvent>;
";

const TOLD: &str = "  /** An event was not valid; those with an `Ack` say it there. */
  \"contract:error\": (error: ContractError) => void;
";

const BROKEN: &str = "
/** The event that was sent breaks the contract: a fault of the program. */
export interface InvalidEvent {
  code: \"invalid\";
  /** A JSON pointer into the arguments. */
  at: string;
  message: string;
}

/** Which event breaks the contract, and how. */
export interface ContractError {
  event: string;
  /** A JSON pointer into the arguments. */
  at: string;
  message: string;
}
";

/// Names that no type may have: ours, and those of the language that the file uses.
const RESERVED: [&str; 11] = [
    "Ack",
    "Answer",
    "ArrayBuffer",
    "ClientToServerEvents",
    "ContractError",
    "InvalidEvent",
    "Namespace",
    "Record",
    "ServerToClientEvents",
    "Socket",
    "Uint8Array",
];

/// What no parameter can be called in a module.
const KEYWORDS: [&str; 47] = [
    "arguments",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "eval",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "var",
    "void",
    "while",
    "with",
];
