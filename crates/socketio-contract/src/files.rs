//! Committed files that are written from a contract: whether they are current, for a test, a build
//! script or a command.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fmt, fs, io};

use crate::describe::Contract;
use crate::typescript::TypeScriptError;

impl Contract {
    /// For a test: checks that a committed file has the [declarations](Contract::typescript) of this
    /// contract. With the variable `UPDATE=1` it is written instead. A relative path begins at the
    /// package's folder, where tests run.
    ///
    /// # Panics
    /// If the file is not current, naming the first line that differs, or cannot be read.
    #[track_caller]
    pub fn check_typescript(&self, path: impl AsRef<Path>) {
        check(path.as_ref(), self.typescript());
    }

    /// For a test: the same with the [AsyncAPI document](Contract::asyncapi).
    ///
    /// # Panics
    /// Like [`check_typescript`](Self::check_typescript).
    #[track_caller]
    pub fn check_asyncapi(&self, path: impl AsRef<Path>) {
        check(path.as_ref(), Ok(self.asyncapi()));
    }

    /// For a build script: writes the [declarations](Contract::typescript), only if the file has
    /// others. Whether it had.
    ///
    /// # Errors
    /// [`FileError`]: there are none, or the file cannot be written.
    pub fn write_typescript(&self, path: impl AsRef<Path>) -> Result<bool, FileError> {
        let text = self.typescript().map_err(FileError::TypeScript)?;
        write(path.as_ref(), &text)
    }

    /// A command for build scripts of the page and for CI, to be called by a program of one's own
    /// with its arguments:
    ///
    /// - `typescript FILE` writes the file, `typescript --check FILE` fails if it is not current,
    ///   `typescript` alone prints;
    /// - `asyncapi`: the same with the AsyncAPI document.
    ///
    /// Gives 0, or 1 if a file is not current or cannot be written, or 2 if the arguments are
    /// others.
    ///
    /// ```no_run
    /// # use socketio_contract::contract;
    /// # #[contract(namespace = "/")]
    /// # mod chat { pub trait ToClient { #[event("hi")] fn hi(); } }
    /// fn main() -> std::process::ExitCode {
    ///     chat::contract().command(std::env::args().skip(1))
    /// }
    /// ```
    pub fn command(&self, arguments: impl IntoIterator<Item = String>) -> ExitCode {
        let arguments: Vec<String> = arguments.into_iter().collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let text = match arguments.first() {
            Some(&"typescript") => self.typescript().map_err(FileError::TypeScript),
            Some(&"asyncapi") => Ok(self.asyncapi()),
            _ => return usage(),
        };
        let done = text.and_then(|text| match arguments[1..] {
            [] => {
                print!("{text}");
                Ok(())
            }
            ["--check", file] => compare(Path::new(file), &text),
            [file] if !file.starts_with('-') => write(Path::new(file), &text).map(drop),
            _ => Err(FileError::Usage),
        });
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(FileError::Usage) => usage(),
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: typescript | asyncapi [[--check] FILE]");
    ExitCode::from(2)
}

/// Why a file is not what it should be.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileError {
    /// There are no declarations to be written.
    TypeScript(TypeScriptError),
    /// It is not current.
    Stale {
        /// The file.
        path: PathBuf,
        /// The first line that differs, from 1.
        line: usize,
        /// What stands there, and what should.
        lines: Box<(String, String)>,
    },
    /// It cannot be read or written.
    Io(PathBuf, io::Error),
    /// The arguments of the command are others.
    Usage,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TypeScript(error) => error.fmt(f),
            Self::Stale { path, line, lines } => write!(
                f,
                "{}:{line} is not current:\n  it has    {}\n  should be {}",
                path.display(),
                lines.0,
                lines.1
            ),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Usage => f.write_str("the arguments are not those of the command"),
        }
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::TypeScript(error) => Some(error),
            Self::Io(_, error) => Some(error),
            _ => None,
        }
    }
}

#[track_caller]
fn check(path: &Path, text: Result<String, TypeScriptError>) {
    let update = env::var_os("UPDATE").is_some_and(|value| value == "1");
    let done = text.map_err(FileError::TypeScript).and_then(|text| match update {
        true => write(path, &text).map(drop),
        false => compare(path, &text),
    });
    if let Err(error) = done {
        panic!("{error}\nUPDATE=1 writes it");
    }
}

fn write(path: &Path, text: &str) -> Result<bool, FileError> {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(false);
    }
    fs::write(path, text).map_err(|error| FileError::Io(path.to_owned(), error))?;
    Ok(true)
}

fn compare(path: &Path, text: &str) -> Result<(), FileError> {
    let there = fs::read_to_string(path).map_err(|error| FileError::Io(path.to_owned(), error))?;
    // a checkout on Windows may have other ends of lines
    let there = there.replace("\r\n", "\n");
    if there == text {
        return Ok(());
    }
    let (mut left, mut right) = (there.lines(), text.lines());
    let mut line = 0;
    loop {
        line += 1;
        let pair = (left.next(), right.next());
        if pair.0 != pair.1 || pair == (None, None) {
            let text = |line: Option<&str>| line.unwrap_or("(the end)").to_owned();
            let lines = Box::new((text(pair.0), text(pair.1)));
            return Err(FileError::Stale { path: path.to_owned(), line, lines });
        }
    }
}
