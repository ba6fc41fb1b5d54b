//! sioload: load generator for Socket.IO servers (Engine.IO 3 and 4) and plain WebSocket servers.
//!
//! One thread, one epoll, requests built once. It checks every answer and prints one JSON line a
//! run. Read from `run.rs`, which has the scenarios, to `load.rs`, which has the connections and
//! what they wait for. What bytes mean is `socketio_testkit::protocol`, which allocates nothing for a message;
//! here is what is counted, and what the expected bytes are.

mod cluster;
mod fanout;
mod histogram;
mod inflate;
mod load;
mod network;
mod options;
mod process;
mod receive;
mod request;
mod run;

use std::process::ExitCode;

use crate::options::Options;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("sioload: {problem}");
            return ExitCode::from(2);
        }
    };
    match run::run(options) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("sioload: {problem}");
            ExitCode::FAILURE
        }
    }
}
