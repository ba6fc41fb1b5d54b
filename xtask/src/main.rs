//! `cargo xtask`: the automation of this repository. Read from here downwards: each command is one
//! module, `command.rs` runs other programs, `report.rs` counts and sums up what they found.
//!
//! Besides the standard library it depends on `serde_json` and `syn` alone, so that it is built in
//! seconds.

use std::env;
use std::process::ExitCode;

use crate::command::Result;

mod abuse;
mod autobahn;
mod bench;
mod browser;
mod chaos;
mod checks;
mod ci;
mod clients;
mod cluster;
mod command;
mod conformance;
mod contract;
mod demo;
mod docs;
mod fixture;
mod fuzz;
mod instructions;
mod items;
mod mutants;
mod node;
mod nosticky;
mod proxies;
mod publish;
mod report;
mod semver;
mod setup;
mod soak;
mod structure;
mod test;
mod tools;
mod typed;
mod webtransport;

fn main() -> ExitCode {
    // cargo starts us in front of the compiler then
    if fuzz::is_compiler_wrapper() {
        return fuzz::compile();
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    run(&arguments).unwrap_or_else(|failure| {
        eprintln!("xtask: {failure}");
        ExitCode::FAILURE
    })
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    let Some((command, rest)) = arguments.split_first() else {
        eprint!("{HELP}");
        return Ok(ExitCode::FAILURE);
    };
    match command.as_str() {
        "setup" => setup::command(rest),
        "demo" => demo::command(rest),
        "typed" => typed::command(rest),
        "conformance" => conformance::command(rest),
        "contract" => contract::command(rest),
        "clients" => clients::command(rest),
        "nosticky" => nosticky::command(rest),
        "proxies" => proxies::command(rest),
        "webtransport" => webtransport::command(rest),
        "abuse" => abuse::command(rest),
        "node" => node::command(rest),
        "instructions" => instructions::command(rest),
        "mutants" => mutants::command(rest),
        "autobahn" => autobahn::command(rest),
        "chaos" => chaos::command(rest),
        "soak" => soak::command(rest),
        "cluster" => cluster::command(rest),
        "browser" => browser::command(rest),
        "bench" => bench::command(rest),
        "picture" => browser::picture(rest),
        "docs" => docs::command(rest),
        "publish" => publish::command(rest),
        "semver" => semver::command(rest),
        "fuzz" => fuzz::command(rest),
        "circles" => structure::command(rest),
        "layers" => structure::structure().map(|()| ExitCode::SUCCESS),
        "test" => test::command(rest),
        "ci" => ci::command(rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => Err(format!("no command `{other}`; `cargo xtask help` lists them").into()),
    }
}

const HELP: &str = "\
cargo xtask COMMAND [ARGUMENTS]

  demo [ARGUMENTS]         run the chat example; the arguments are the chat's own (--port N,
                           --webtransport: pages may come by HTTP/3)
  typed [ARGUMENTS]        run the whiteboard example, its page in TypeScript included
  test [--skip-browser]    every test: Rust, conformance, contract, clients, proxies, cluster, WebTransport, nosticky,
                           browser; ends with the totals
  ci [--skip-browser]      format, lints, docs, dependencies, then `test`: run before handing in

  conformance [ARGUMENTS]  official clients and raw traffic against our server; the arguments go
                           to conformance/run.js (--only TEXT, --client NAME, --verbose, ...)
  contract [--seed N] [..] contracts: programs in TypeScript, wrong events of official clients, generated types,
                           AsyncAPI; other arguments go to conformance/contract/run.js (--only TEXT, --verbose)
  clients                  clients of Python (python-socketio 4 and 5) and Rust (rust_socketio)
  node [--release]         the addon for Node.js: the tests of its JavaScript, and the official clients against
                           a fixture that is a program for it; --build: builds it alone, and prints the
                           folder of the npm package; --pack: makes the npm packages
  proxies [ARGUMENTS]      our server behind nginx; the arguments go to conformance/proxies/run.js
                           (--only TEXT, --verbose)
  webtransport [ARGUMENTS] sessions over HTTP/3: raw bytes, the official client on Node and in Chromium;
                           the arguments go to conformance/webtransport/run.js (--only REGEX, --group NAME, ...)
  abuse [ARGUMENTS]        bad input and limits against our server, some minutes; the arguments go
                           to conformance/abuse/run.js (--only REGEX, --slow, ...)
  instructions [ARGUMENTS] instructions of the hot paths, under valgrind, against the baseline
                           (--only TEXT, --bless)
  mutants [ARGUMENTS]      changes the crates without I/O in one place at a time, and fails if their own
                           tests notice less than 90 % of that; hours in all (--package P,
                           --shard K/N with K from 0; others go to cargo-mutants: --file, --re, ...)
  autobahn [--deflate]     the Autobahn test suite against our WebSocket codec; --deflate adds its
                           cases of compression, some minutes
  chaos [ARGUMENTS]        5,000 clients that come, go and vanish behind a proxy that fails, some
                           minutes (--secs N, --clients N, --seed S); --check FILE judges a history
  soak [ARGUMENTS]         official clients of five versions and raw ones that come and go, 15 minutes
                           (--minutes N, --lanes N, --seed N): memory, descriptors, tables are flat
  cluster [ARGUMENTS]      our server in clusters with Node servers 2.x and 4.x, over a real Redis; the
                           arguments go to conformance/cluster/run.js (--only TEXT, --topology NAME, ...)
  nosticky [ARGUMENTS]     nodes behind a round robin without sticky sessions, and behind nginx and HAProxy, over a
                           minute; the arguments go to conformance/nosticky/run.js (--only S1/ for the
                           conformance cases behind it, --verbose)
  browser                  the chat and whiteboard examples in Chromium
  bench [OPTIONS]          what our server costs, beside other servers; bench/README.md says more
  fuzz [TARGET..]          the decoders, the session, the rooms and the server against what a
                           fuzzer makes up; --quick: ten seconds each, --secs N, --replay: the
                           seeds only
  circles [CRATE..]        the files of each library that import each other in a loop
  layers                   whether files and crates depend on what stands below them, and on nothing else
  docs                     the book, with the API's documentation beside it, and whether its links lead
                           somewhere
  picture                  the pictures of the README, taken of the running chat in Chromium
  publish --dry-run        packs the libraries, looks into them, and builds a fresh application against
                           them; without --dry-run they are published
  semver                   the public items beside those of the last tag; skips if there is none
  setup [--skip-browser]   fetch what the tests need; the other commands do it themselves

Rust alone builds everything. The chat's page and the conformance run need Node.js 18 or later
with npm; the cluster run needs `redis-server` 7 as well; the proxies run nginx; the clients run and the
WebTransport run Python 3.11 or later, with OpenSSL's headers for Rust's; the browser run Chromium; fuzzing needs a C++
compiler, the Autobahn test suite Python 2.7 with pip.
";
