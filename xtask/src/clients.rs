//! `cargo xtask clients`: clients of other languages against our fixture server. Those of JavaScript are
//! in `conformance`.

use std::process::ExitCode;

use crate::command::{Result, cargo, program, root, run, tally};
use crate::fixture::{self, Fixture};
use crate::report::{Report, Tally};
use crate::setup;

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    if !arguments.is_empty() {
        return Err("`clients` takes no arguments".into());
    }
    let mut report = Report::default();
    report.tests("clients", clients);
    Ok(report.finish())
}

pub(crate) fn clients() -> Result<Tally> {
    setup::python()?;
    fixture::build()?;
    let rust = root().join("conformance/clients/rust");
    run(cargo().args(["build", "--locked"]).current_dir(&rust))?;

    let default = Fixture::start("default")?;
    let msgpack = Fixture::start("msgpack")?;
    let short_ping = Fixture::start("short-ping")?;
    let short_polls = Fixture::start("short-polls")?;
    let mut sum = Tally::default();
    for version in setup::PYTHON_CLIENTS {
        sum += &tally(
            program(setup::python_of(version))
                .arg("conformance/clients/python/run.py")
                .args([&default, &msgpack, &short_ping, &short_polls].map(Fixture::url)),
        )?;
    }
    // its build is done above, so that this shows only its results
    sum += &tally(
        cargo().args(["run", "--locked", "--quiet", "--"]).arg(default.url()).current_dir(&rust),
    )?;
    Ok(sum)
}
