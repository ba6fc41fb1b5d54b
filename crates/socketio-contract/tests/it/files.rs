//! Committed files: whether they are current, for a test, a build script and a command.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use socketio_contract::FileError;

use crate::chat::chat;

/// A file that is gone with its handle.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("socketio-contract-{}-{name}", std::process::id());
        let file = Self(std::env::temp_dir().join(name));
        fs::write(&file.0, text).unwrap();
        file
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap()
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn command(arguments: &[&str]) -> ExitCode {
    chat::contract().command(arguments.iter().map(|&word| word.to_owned()))
}

#[test]
fn the_command_writes_and_checks() {
    let contract = chat::contract();
    let texts = [("typescript", contract.typescript().unwrap()), ("asyncapi", contract.asyncapi())];
    for (what, text) in texts {
        let file = File::new(what, "old\n");
        assert_eq!(command(&[what, "--check", file.path()]), ExitCode::FAILURE);
        assert_eq!(file.text(), "old\n", "checking changes nothing");
        assert_eq!(command(&[what, file.path()]), ExitCode::SUCCESS);
        assert_eq!(file.text(), text);
        assert_eq!(command(&[what, "--check", file.path()]), ExitCode::SUCCESS);
        fs::write(&file.0, text.replace('\n', "\r\n")).unwrap();
        assert_eq!(command(&[what, "--check", file.path()]), ExitCode::SUCCESS);
        assert_eq!(command(&[what, "--check", "/not/there"]), ExitCode::FAILURE);
        assert_eq!(command(&[what, "/not/there"]), ExitCode::FAILURE);
    }
    for wrong in [&[][..], &["openapi"], &["typescript", "--chek", "x"], &["typescript", "--check"]]
    {
        assert_eq!(command(wrong), ExitCode::from(2), "{wrong:?}");
    }
}

#[test]
fn a_build_script_writes_only_what_changed() {
    let file = File::new("written", "old\n");
    assert!(chat::contract().write_typescript(&file.0).unwrap());
    assert!(!chat::contract().write_typescript(&file.0).unwrap());
    let nowhere = chat::contract().write_typescript("/not/there");
    assert!(matches!(nowhere, Err(FileError::Io(..))));
}

#[test]
fn a_test_names_the_first_line_that_differs() {
    let text = chat::contract().typescript().unwrap();
    let file = File::new("stale", &text.replace("name: string;", "name: number;"));
    let panic = std::panic::catch_unwind(|| chat::contract().check_typescript(&file.0));
    let panic = panic.expect_err("it is not current");
    let message = panic.downcast_ref::<String>().unwrap();
    let line = text.lines().position(|line| line == "  name: string;").unwrap() + 1;
    let expected = format!(
        "{}:{line} is not current:\n  it has      name: number;\n  should be   name: string;\nUPDATE=1 writes it",
        file.path()
    );
    assert_eq!(*message, expected);
    let panic = std::panic::catch_unwind(|| chat::contract().check_asyncapi(&file.0));
    assert!(panic.is_err());
}
