//! Pieces of the text.

use std::fmt::Write as _;

/// A doc comment, if there is something to say.
pub(super) fn comment(out: &mut String, indent: &str, docs: &str) {
    let docs = docs.trim().replace("*/", "*\\/");
    if docs.is_empty() {
        return;
    }
    if !docs.contains('\n') {
        let _ = writeln!(out, "{indent}/** {docs} */");
        return;
    }
    let _ = writeln!(out, "{indent}/**");
    for line in docs.lines() {
        let _ = writeln!(out, "{}", format!("{indent} * {}", line.trim_end()).trim_end());
    }
    let _ = writeln!(out, "{indent} */");
}

/// A string literal.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
