//! Compile errors that users of contracts meet, with the messages that they get: each file of
//! `tests/ui` must not compile, and say what stands in the `.stderr` file next to it.
//!
//! The words are the compiler's as much as ours, so they are compared with one release of it, and
//! with others the test says that it was skipped. To write new expectations, after reading them:
//! `TRYBUILD=overwrite cargo test --test ui`.

use std::process::Command;

#[test]
fn messages_of_compile_errors() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("cargo found a compiler");
    let version = String::from_utf8_lossy(&version.stdout);
    if !version.starts_with(COMPILER) {
        println!("skipped: the messages are those of {COMPILER}, this is {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

/// The release whose messages are expected.
const COMPILER: &str = "rustc 1.95.0 ";
