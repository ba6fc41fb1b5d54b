//! `cargo xtask ci`: everything that must hold before a change is handed in, the quick checks first.

use std::process::ExitCode;

use crate::checks;
use crate::command::{Result, cargo, program, root, run};
use crate::docs;
use crate::fuzz;
use crate::items::items;
use crate::publish;
use crate::report::Report;
use crate::semver;
use crate::setup::Browser;
use crate::structure::structure;
use crate::test::test;
use crate::tools::tool;

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    let browser = Browser::from_arguments(arguments)?;
    let mut report = Report::default();
    report.check("format", || {
        run(cargo().args(["fmt", "--all", "--check"]))?;
        for apart in ["fuzz/Cargo.toml", "conformance/clients/rust/Cargo.toml"] {
            run(cargo().args(["fmt", "--manifest-path", apart, "--check"]))?;
        }
        Ok(())
    });
    report.check("file lengths", checks::file_lengths);
    report.check("sans-IO", checks::sans_io);
    report.check("unsafe code", checks::no_unsafe);
    report.check("items", items);
    report.check("structure", structure);
    report.check("clippy", || {
        let deny_warnings = ["--", "--deny", "warnings"];
        run(cargo().args(["clippy", "--workspace", "--all-targets"]).args(deny_warnings))?;
        fuzz::clippy()
    });
    report.check("bench", bench);
    report.check("docs", || {
        run(cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
        docs::quick()
    });
    report.check("features", checks::features);
    report.check("dependencies", dependencies);
    report.check("publish", || publish::check().map(drop));
    report.check("semver", semver::check);
    report.check("fuzz", fuzz::quick);
    test(&mut report, browser);
    Ok(report.finish())
}

/// The load generator and the floors, which are a workspace of their own. socketioxide, which is
/// there too, takes long to build and seldom changes.
fn bench() -> Result<()> {
    let ours = ["--locked", "--package", "sioload", "--package", "floors"];
    let cargo = || {
        let mut cargo = cargo();
        cargo.current_dir(root().join("bench"));
        cargo
    };
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(cargo().arg("clippy").args(ours).args(["--all-targets", "--", "--deny", "warnings"]))?;
    run(cargo().arg("test").args(ours))
}

/// Licences, doubles and sources of the dependencies, by the rules of `deny.toml`. Advisories are
/// not looked up: they change without us, and a change must not fail for what it did not touch.
fn dependencies() -> Result<()> {
    let cargo_deny = tool("cargo-deny", CARGO_DENY)
        .map_err(|error| format!("the dependencies were not checked: {error}"))?;
    run(program(&cargo_deny).args(["--locked", "check", "bans", "licenses", "sources"]))
}

const CARGO_DENY: &str = "0.20.2";
