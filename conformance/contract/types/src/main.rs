//! The generated types of the contract run. Each line of the input is the number of a type, a blank and
//! a value in JSON; the line that answers it is what serde writes after it has read that, or `!` and
//! why it does not read it. `contract-types contract ..` is the command of their contract.

#![allow(dead_code, unused_imports, reason = "whatever is generated")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use socketio::Value;
use socketio_contract::{Big, contract};

include!(concat!(env!("OUT_DIR"), "/types.rs"));

/// Reads a value of one type and writes it.
type Run = fn(&str) -> Result<String, serde_json::Error>;

/// What is written is not what is read, so it is not read again.
fn one_way<T: DeserializeOwned + Serialize>(text: &str) -> Result<String, serde_json::Error> {
    serde_json::to_string(&serde_json::from_str::<T>(text)?)
}

fn both_ways<T: DeserializeOwned + Serialize + PartialEq>(
    text: &str,
) -> Result<String, serde_json::Error> {
    let value: T = serde_json::from_str(text)?;
    let written = serde_json::to_string(&value)?;
    assert!(serde_json::from_str::<T>(&written)? == value, "{text} became {written}");
    Ok(written)
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().is_some_and(|word| word == "contract") {
        return generated::contract().command(arguments);
    }
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("text");
        let (number, value) = line.split_once(' ').expect("a number and a value");
        let run = RUNS[number.parse::<usize>().expect("a number")];
        match run(value) {
            Ok(written) => writeln!(out, "{written}"),
            Err(error) => writeln!(out, "!{error}"),
        }
        .expect("somebody reads");
    }
    ExitCode::SUCCESS
}
