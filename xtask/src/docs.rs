//! `cargo xtask docs`: the book, of the pages that the documentation of `socketio` includes.
//!
//! A page is written once, as the documentation of a module, so that its programs are compiled with the
//! tests and its links are resolved by rustdoc. Here it becomes a chapter: rustdoc's syntax is taken
//! out (`page.rs`), and a link to an item leads where rustdoc's own page led it, into a copy of the API's
//! documentation beside the book. `docs/SUMMARY.md` is the order of the chapters.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::command::{Result, cargo, program, root, run, target};
use crate::publish;
use crate::tools::tool_with;

mod links;
mod page;

pub(crate) fn command(arguments: &[String]) -> Result<ExitCode> {
    if !arguments.is_empty() {
        return Err("`docs` takes no arguments".into());
    }
    markdown()?;
    let chapters = chapters()?;
    // The search is all that it has to have of the default features.
    let mdbook = tool_with("mdbook", MDBOOK, &["--no-default-features", "--features", "search"])?;
    run(program(mdbook).arg("build").arg(book()))?;
    let html = book().join("html");
    let api = html.join("api");
    fs::create_dir_all(&api)?;
    for library in libraries()? {
        copy_all(&documentation()?.join(&library), &api.join(&library))?;
        copy_all(&documentation()?.join("src").join(&library), &api.join("src").join(&library))?;
    }
    for shared in ["static.files", "search.index", "trait.impl", "type.impl"] {
        copy_all(&documentation()?.join(shared), &api.join(shared))?;
    }
    for file in fs::read_dir(documentation()?)?.flatten().filter(|file| file.path().is_file()) {
        fs::copy(file.path(), api.join(file.file_name()))?;
    }
    let pages = chapters.iter().map(|chapter| format!("{}.html", chapter.name)).collect();
    let count = links::check_book(&html, &pages)?;
    println!("docs: {} chapters, {count} links lead somewhere", chapters.len());
    println!("docs: {}", html.join("index.html").display());
    Ok(ExitCode::SUCCESS)
}

/// What needs no other tool: rustdoc's own checks, and that each page can become a chapter.
pub(crate) fn quick() -> Result<()> {
    markdown()?;
    println!("docs: {} chapters", chapters()?.len());
    front_page()
}

/// The front page of the API is a table of contents, not a list of all there is.
fn front_page() -> Result<()> {
    let html = fs::read_to_string(documentation()?.join("socketio/index.html"))?;
    let names = html.matches("<dt><a class=").count();
    match names {
        0 => Err("docs: no names were found on the front page of `socketio`".into()),
        1..=MAX_NAMES => {
            println!("docs: {names} names on the front page of `socketio`");
            Ok(())
        }
        _ => Err(format!(
            "docs: {names} names on the front page of `socketio`, more than {MAX_NAMES}: put new \
             ones into its modules"
        )
        .into()),
    }
}

/// What one takes in at a glance, about.
const MAX_NAMES: usize = 25;

/// The links of the documents that are read in the repository.
fn markdown() -> Result<()> {
    let mut documents: Vec<PathBuf> = Vec::new();
    for folder in [".", "bench", "crates", "examples", "conformance"] {
        let folder = root().join(folder);
        documents.extend(markdown_in(&folder));
        for inner in fs::read_dir(&folder)?.flatten().filter(|inner| inner.path().is_dir()) {
            documents.extend(markdown_in(&inner.path()));
        }
    }
    // Those of the book are in `docs`, which the loop above has seen, and lead to chapters.
    documents.retain(|document| !document.ends_with("docs/SUMMARY.md"));
    let documents: BTreeSet<PathBuf> = documents.into_iter().collect();
    let mut count = 0;
    let mut wrong = Vec::new();
    for document in &documents {
        let folder = document.parent().expect("a document is in a folder");
        for link in links::of_markdown(&fs::read_to_string(document)?) {
            count += 1;
            if !folder.join(&link).exists() {
                wrong.push(format!("{}: {link}", document.strip_prefix(root())?.display()));
            }
        }
    }
    if !wrong.is_empty() {
        return Err(format!("links that lead nowhere:\n  {}", wrong.join("\n  ")).into());
    }
    println!("docs: {count} links in {} documents lead to files", documents.len());
    Ok(())
}

fn markdown_in(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path());
    files.filter(|file| file.is_file() && file.extension().is_some_and(|e| e == "md")).collect()
}

/// A page of the book.
#[derive(Debug, PartialEq)]
struct Chapter {
    title: String,
    /// The file's name without its ending.
    name: String,
}

/// Writes all chapters, and what mdBook wants beside them.
fn chapters() -> Result<Vec<Chapter>> {
    let packages = publish::packages()?;
    let names = packages.iter().flat_map(|package| ["--package", package.name()]);
    // A link that rustdoc cannot resolve is a warning.
    run(cargo()
        .args(["doc", "--no-deps", "--all-features"])
        .args(names)
        .env("RUSTDOCFLAGS", "-D warnings"))?;
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md"))?;
    let chapters = listed(&summary);
    let names: BTreeSet<&str> = chapters.iter().map(|chapter| &*chapter.name).collect();
    let left_out: Vec<String> = markdown_in(&pages())
        .iter()
        .filter_map(|page| Some(page.file_stem()?.to_str()?.to_owned()))
        .filter(|name| !names.contains(&**name))
        .collect();
    if !left_out.is_empty() {
        return Err(format!("not in docs/SUMMARY.md: {}", left_out.join(", ")).into());
    }
    let source = book().join("src");
    if book().exists() {
        fs::remove_dir_all(book())?;
    }
    fs::create_dir_all(&source)?;
    fs::copy(root().join("docs/book.toml"), book().join("book.toml"))?;
    fs::write(source.join("SUMMARY.md"), &summary)?;
    for Chapter { title, name } in &chapters {
        let text = fs::read_to_string(pages().join(format!("{name}.md")))?;
        let rendered = rendered(name)?;
        let html = fs::read_to_string(documentation()?.join(&rendered))?;
        let links = page::links_of_html(&html)
            .iter()
            .map(|href| page::resolve(&rendered, href, &names))
            .collect();
        let chapter = page::chapter(title, &text, links)
            .map_err(|problem| format!("the page {name}.md: {problem}"))?;
        fs::write(source.join(format!("{name}.md")), chapter)?;
    }
    Ok(chapters)
}

/// The lines `- [Title](name.md)` of the summary.
fn listed(summary: &str) -> Vec<Chapter> {
    let chapter = |line: &str| {
        let (title, rest) =
            line.trim().trim_start_matches("- ").strip_prefix('[')?.split_once("](")?;
        let name = rest.strip_suffix(".md)")?;
        Some(Chapter { title: title.to_owned(), name: name.to_owned() })
    };
    summary.lines().filter_map(chapter).collect()
}

/// Where rustdoc put the page of this name, below the folder of the documentation.
fn rendered(name: &str) -> Result<String> {
    let module = name.replace('-', "_");
    let places = match name {
        "index" => vec!["socketio/guide/index.html".to_owned()],
        _ => ["socketio/guide", "socketio"]
            .map(|parent| format!("{parent}/{module}/index.html"))
            .to_vec(),
    };
    let documentation = documentation()?;
    let place = places.into_iter().find(|place| documentation.join(place).is_file());
    place.ok_or_else(|| format!("no module has the page {name}.md").into())
}

/// The folders of our libraries in rustdoc's.
fn libraries() -> Result<Vec<String>> {
    let packages = publish::packages()?;
    Ok(packages.iter().filter_map(publish::Package::library).collect())
}

/// Where the pages are.
fn pages() -> PathBuf {
    root().join("crates/socketio-server/src/docs")
}

fn documentation() -> Result<PathBuf> {
    Ok(target()?.join("doc"))
}

fn book() -> PathBuf {
    root().join("target/book")
}

/// A folder with what is below it; nothing, if it is not there.
fn copy_all(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy_all(&entry.path(), &target)?,
            false => drop(fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}

/// The last one for our minimum supported Rust.
const MDBOOK: &str = "0.4.52";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chapters_of_a_summary() {
        let summary = "# Book\n\n[Start](index.md)\n\n# Part\n\n- [A `b`](a-b.md)\n  - [C](c.md)\n";
        let names: Vec<(String, String)> =
            listed(summary).into_iter().map(|chapter| (chapter.title, chapter.name)).collect();
        let expected = [("Start", "index"), ("A `b`", "a-b"), ("C", "c")];
        assert_eq!(names, expected.map(|(title, name)| (title.to_owned(), name.to_owned())));
    }
}
