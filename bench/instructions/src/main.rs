//! The program whose instructions `cargo xtask instructions` counts.
//!
//! It does one thing, a [`Case`], as often as it is told, and knows nothing of counting: each case
//! is run twice, `count` times and twice as often, and the difference divided by `count`. So what a
//! case prepares is not counted, and no part of the code has to be marked.
//!
//! `--list` prints the cases, one a line: name and count.

use std::env;
use std::process::ExitCode;

mod codecs;
mod dispatch;
mod fanout;
mod http;
mod parser;
mod polling;

/// Something that is done again and again.
#[derive(Clone, Copy)]
struct Case {
    /// What is counted, from the part of the code to the size of what it gets.
    name: &'static str,
    /// How often the shorter run does it: enough for the whole to be steady.
    count: u32,
    /// Prepares, and does it as often as it is told.
    run: fn(u32),
}

fn main() -> ExitCode {
    let cases =
        [codecs::CASES, parser::CASES, dispatch::CASES, polling::CASES, http::CASES, fanout::CASES]
            .concat();
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--list"] => {
            cases.iter().for_each(|case| println!("{} {}", case.name, case.count));
            ExitCode::SUCCESS
        }
        [name, count] => {
            let case = cases.iter().find(|case| case.name == name);
            let (Some(case), Ok(count)) = (case, count.parse()) else {
                eprintln!("no case {name:?}, or {count:?} is no number");
                return ExitCode::FAILURE;
            };
            (case.run)(count);
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("instructions --list | instructions CASE COUNT");
            ExitCode::FAILURE
        }
    }
}
