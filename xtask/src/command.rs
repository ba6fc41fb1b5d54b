//! Runs other programs in the repository, each shown before it starts.

use std::env;
use std::error::Error;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::report::{Tally, is_failure};

/// A failure is shown to a person, in one sentence, and handled by nobody.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A program, to be started in the root of the repository.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    command
}

/// The cargo that started us.
pub(crate) fn cargo() -> Command {
    program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a program to its end; its output goes where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    show(command);
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if !status.success() {
        return Err(format!("`{}` failed ({status})", line(command)).into());
    }
    Ok(())
}

/// Runs a program whose status says what it found; its output goes where ours goes.
pub(crate) fn run_for_code(command: &mut Command) -> Result<i32> {
    show(command);
    let status = command.status().map_err(|error| not_started(command, &error))?;
    status.code().ok_or_else(|| format!("`{}` was ended ({status})", line(command)).into())
}

/// Starts a program; the caller ends it.
pub(crate) fn start(command: &mut Command) -> Result<Child> {
    show(command);
    command.spawn().map_err(|error| not_started(command, &error))
}

/// Runs a program and gives what it printed.
pub(crate) fn output_of(command: &mut Command) -> Result<String> {
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|error| not_started(command, &error))?;
    if !output.status.success() {
        return Err(format!("`{}` failed ({})", line(command), output.status).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a test program, passes its output on, and sums up its result lines, with the names of what
/// failed. A program that fails without a failed test in its output, as a build that breaks off,
/// counts as one failure.
pub(crate) fn tally(command: &mut Command) -> Result<Tally> {
    let mut child = start(command.stdout(Stdio::piped()))?;
    let stdout = child.stdout.take().expect("stdout is piped");
    let mut sum: Option<Tally> = None;
    let mut seen = Tally::default();
    for text in BufReader::new(stdout).split(b'\n') {
        let text = String::from_utf8_lossy(&text?).into_owned();
        println!("{text}");
        if let Some(found) = Tally::of_line(&text) {
            *sum.get_or_insert_with(Tally::default) += &found;
        } else if is_failure(&text) {
            seen.note(&text);
        }
    }
    let status = child.wait()?;
    match sum {
        Some(sum) if status.success() || sum.failed > 0 => {
            Ok(Tally { failures: seen.failures, ..sum })
        }
        Some(sum) => {
            seen.note(&format!("`{}` failed ({status})", line(command)));
            Ok(Tally { failed: 1, failures: seen.failures, ..sum })
        }
        None if status.success() => Err(format!("`{}` told no result", line(command)).into()),
        None => Err(format!("`{}` failed ({status})", line(command)).into()),
    }
}

/// Where on the `PATH` a program is.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the repository")
}

/// Where `cargo build --release` puts a program.
pub(crate) fn release_binary(name: &str) -> Result<PathBuf> {
    Ok(target()?.join("release").join(format!("{name}{}", env::consts::EXE_SUFFIX)))
}

/// The target folder, from whose `debug` we run.
pub(crate) fn target() -> Result<PathBuf> {
    let ours = env::current_exe()?;
    let target = ours.parent().and_then(Path::parent);
    Ok(target.ok_or("xtask runs outside a target folder")?.to_owned())
}

fn show(command: &Command) {
    println!("$ {}", line(command));
}

/// The command as somebody would type it, without the folders of its programs.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = command.get_args().map(|argument| argument.to_string_lossy());
    std::iter::once(name.to_string_lossy()).chain(words).collect::<Vec<_>>().join(" ")
}

fn not_started(command: &Command, error: &std::io::Error) -> Box<dyn Error> {
    let name = command.get_program().to_string_lossy();
    if error.kind() == ErrorKind::NotFound {
        format!("`{name}` is not installed, or not on the PATH").into()
    } else {
        format!("`{name}` cannot be started: {error}").into()
    }
}
