//! Whether links lead somewhere: to files, and to places in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::command::Result;

/// Looks at all links of the book's pages that lead to files beside them; says how many there are.
pub(super) fn check_book(folder: &Path, pages: &Vec<String>) -> Result<usize> {
    let mut read: BTreeMap<PathBuf, String> = BTreeMap::new();
    let mut count = 0;
    let mut wrong = Vec::new();
    for page in pages {
        let html = fs::read_to_string(folder.join(page))?;
        for link in of_html(&html) {
            count += 1;
            let (path, id) = link.split_once('#').unwrap_or((link, ""));
            let target = folder.join(if path.is_empty() { page } else { path });
            if !read.contains_key(&target) {
                let Ok(html) = fs::read(&target) else {
                    wrong.push(format!("{page}: {link}"));
                    continue;
                };
                read.insert(target.clone(), String::from_utf8_lossy(&html).into_owned());
            }
            if !(id.is_empty() || read[&target].contains(&format!("id=\"{id}\""))) {
                wrong.push(format!("{page}: {link}"));
            }
        }
    }
    match wrong.is_empty() {
        true => Ok(count),
        false => Err(format!("links that lead nowhere:\n  {}", wrong.join("\n  ")).into()),
    }
}

/// The links in HTML that lead to files beside it, or into them.
fn of_html(html: &str) -> impl Iterator<Item = &str> {
    // within tags: a program that is shown may have such attributes, too
    let tags = html.split('<').filter_map(|rest| Some(rest.split_once('>')?.0));
    let links = tags.flat_map(|tag| {
        ["href=\"", "src=\""].into_iter().filter_map(move |attribute| {
            let (_, rest) = tag.split_once(attribute)?;
            Some(rest.split_once('"')?.0)
        })
    });
    links.filter(|link| is_relative(link) && *link != "#")
}

/// The files that Markdown names as links or pictures, without the places in them.
pub(super) fn of_markdown(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if is_code {
            continue;
        }
        // every second piece lies between marks of code
        let prose: String = line.split('`').step_by(2).collect();
        for (open, close) in [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"'), ("href=\"", '"')] {
            let targets =
                prose.split(open).skip(1).filter_map(|rest| Some(rest.split_once(close)?.0));
            links.extend(
                targets
                    .filter(|target| is_relative(target))
                    .map(|target| target.split('#').next().unwrap_or_default().to_owned())
                    .filter(|target| !target.is_empty()),
            );
        }
    }
    links
}

fn is_relative(link: &str) -> bool {
    !(link.is_empty() || link.contains(':') || link.starts_with("//"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_links_of_markdown() {
        let text = "[a](b.md#c) [d](https://e.test) [f](#g) `[h](i.md)`\n<img src=\"j.png\">\n\
                    ```\n[k](l.md)\n```\n[`m`](n/o.md)";
        assert_eq!(of_markdown(text), ["b.md", "j.png", "n/o.md"]);
    }

    #[test]
    fn the_links_of_html() {
        let html = "<a href=\"a.html#b\"><a href=\"#c\"><a href=\"https://d.test\"><a href=\"#\">\
                    <img src=\"e.png\"><script src=\"//f.test/g.js\">&lt;a href=\"h\">";
        assert_eq!(of_html(html).collect::<Vec<_>>(), ["a.html#b", "#c", "e.png"]);
    }
}
