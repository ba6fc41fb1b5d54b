//! A page of the documentation as a chapter of the book.
//!
//! Four things differ: a chapter has a title, so that the page's headings stand a level lower; lines of
//! programs that rustdoc hides are not there; a program's fence says no more than its language; and a
//! link to an item, as `[Server]` or `[text](crate::Server)`, needs an address. rustdoc knows it: the links
//! of its page are those of ours, in the same order.

use std::collections::{BTreeSet, VecDeque};

/// The chapter. `links` are the addresses of the page's links to items, in their order.
pub(super) fn chapter(title: &str, page: &str, links: Vec<String>) -> Result<String, String> {
    let expected = links.len();
    let mut links = VecDeque::from(links);
    let mut text = format!("# {title}\n\n");
    let mut prose = String::new();
    let mut lines = page.lines();
    let mut found = 0;
    while let Some(line) = lines.next() {
        // what a link's label stands for, which rustdoc's page knows
        if line.starts_with('[') && line.contains("]: ") && !line.contains("://") {
            continue;
        }
        let Some(info) = line.trim_start().strip_prefix("```") else {
            let is_heading = line.trim_start_matches('#').starts_with(' ') && line.starts_with('#');
            prose += if is_heading { "#" } else { "" };
            prose += line;
            prose.push('\n');
            continue;
        };
        found += link(&prose, &mut links, &mut text);
        prose.clear();
        let language = info.split(',').next().unwrap_or_default();
        let is_program = language == "rust";
        text += &line.replace(info, language);
        text.push('\n');
        let code: Vec<&str> =
            lines.by_ref().take_while(|line| line.trim_start() != "```").collect();
        text += &if is_program { shown(&code) } else { code.join("\n") };
        text += "\n```\n";
    }
    found += link(&prose, &mut links, &mut text);
    match found == expected {
        true => Ok(text),
        false => Err(format!("{found} links to items, of which rustdoc resolved {expected}")),
    }
}

/// A program without the lines that rustdoc hides.
fn shown(code: &[&str]) -> String {
    let is_hidden = |line: &str| line == "#" || line.starts_with("# ");
    let mut shown: Vec<String> = Vec::new();
    for line in code {
        let trimmed = line.trim_start();
        if is_hidden(trimmed) {
            continue;
        }
        // two in a row show one
        let line = match trimmed.starts_with("##") {
            true => line.replacen("##", "#", 1),
            false => (*line).to_owned(),
        };
        let is_blank = |line: &String| line.trim().is_empty();
        // what was hidden leaves one blank line at most
        if !(is_blank(&line) && shown.last().is_none_or(is_blank)) {
            shown.push(line);
        }
    }
    while shown.last().is_some_and(|line| line.trim().is_empty()) {
        shown.pop();
    }
    shown.join("\n")
}

/// Appends prose, with the addresses of its links to items; says how many there are.
fn link(prose: &str, links: &mut VecDeque<String>, text: &mut String) -> usize {
    let mut found = 0;
    let mut rest = prose;
    while let Some(at) = rest.find(['[', '`']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('`') {
            let length = code_span(rest);
            text.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        let Some((label, target, length)) = link_at(rest) else {
            text.push('[');
            rest = &rest[1..];
            continue;
        };
        let is_item = match target {
            Some(target) => !(target.contains("://") || target.starts_with('#')),
            None => label.starts_with('`') && label.ends_with('`'),
        };
        if is_item {
            found += 1;
            let address = links.pop_front().unwrap_or_default();
            text.push_str(&format!("[{label}]({address})"));
        } else {
            text.push_str(&rest[..length]);
        }
        rest = &rest[length..];
    }
    text.push_str(rest);
    found
}

/// The bytes of a code span, or of the marks that begin none.
fn code_span(text: &str) -> usize {
    let marks = text.len() - text.trim_start_matches('`').len();
    let mut end = marks;
    loop {
        let Some(at) = text[end..].find('`') else { return marks };
        let begin = end + at;
        let closing = text[begin..].len() - text[begin..].trim_start_matches('`').len();
        end = begin + closing;
        if closing == marks {
            return end;
        }
    }
}

/// A link at the beginning of the text: its label, its target unless the label is it, and its bytes.
fn link_at(text: &str) -> Option<(&str, Option<&str>, usize)> {
    let mut depth = 0;
    let mut at = 0;
    let end = loop {
        let next = text[at..].find(['[', ']', '`'])? + at;
        match text.as_bytes()[next] {
            b'[' => depth += 1,
            b']' => depth -= 1,
            _ => {
                at = next + code_span(&text[next..]);
                continue;
            }
        }
        at = next + 1;
        if depth == 0 {
            break next;
        }
    };
    let label = &text[1..end];
    let Some(behind) = text[end + 1..].strip_prefix('(') else {
        return Some((label, None, end + 1));
    };
    let length = behind.find(')')?;
    Some((label, Some(&behind[..length]), end + 1 + length + 2))
}

/// The addresses of the links to items in the first text of a page of rustdoc's: those with a title,
/// which rustdoc gives to no others.
pub(super) fn links_of_html(html: &str) -> Vec<String> {
    let Some((_, html)) = html.split_once("<div class=\"docblock\">") else { return Vec::new() };
    let html = html.split_once("</details>").map_or(html, |(text, _)| text);
    let anchors = html.split("<a href=\"").skip(1);
    anchors
        .filter_map(|anchor| {
            let (href, rest) = anchor.split_once('"')?;
            rest.starts_with(" title=\"").then(|| href.to_owned())
        })
        .collect()
}

/// An address of rustdoc's page at `page` for a chapter: another chapter, or a page of the copy.
pub(super) fn resolve(page: &str, href: &str, chapters: &BTreeSet<&str>) -> String {
    if href.contains("://") {
        return href.to_owned();
    }
    let (path, fragment) = href.split_once('#').map_or((href, ""), |(path, id)| (path, id));
    let mut folders: Vec<&str> = page.split('/').collect();
    folders.pop();
    for part in path.split('/') {
        match part {
            ".." => drop(folders.pop()),
            part => folders.push(part),
        }
    }
    let path = folders.join("/");
    let fragment = if fragment.is_empty() { String::new() } else { format!("#{fragment}") };
    if let Some(module) = path.strip_prefix("socketio/").and_then(|p| p.strip_suffix("/index.html"))
    {
        let module = if module == "guide" { "guide/index" } else { module };
        let name = module.strip_prefix("guide/").unwrap_or(module).replace('_', "-");
        if chapters.contains(&*name) {
            return format!("{name}.md{fragment}");
        }
    }
    format!("api/{path}{fragment}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(page: &str, links: &[&str], expected: &str) {
        let links = links.iter().map(|link| (*link).to_owned()).collect();
        assert_eq!(chapter("Title", page, links).unwrap(), format!("# Title\n\n{expected}"));
    }

    #[test]
    fn headings_stand_a_level_lower() {
        check("# One\n## Two\n#tag\n", &[], "## One\n### Two\n#tag\n");
    }

    #[test]
    fn hidden_lines_are_not_there() {
        let page = "```rust,no_run\n# use a::B;\n\nlet x = 1;\n#\n\n# fn f() {}\n\
                    ##[derive(Debug)]\n#[test]\n  # }\n\n```\nend\n";
        let expected = "```rust\nlet x = 1;\n\n#[derive(Debug)]\n#[test]\n```\nend\n";
        check(page, &[], expected);
        // what other languages hide is their matter
        check("```sh\n# a comment\n```\n", &[], "```sh\n# a comment\n```\n");
    }

    #[test]
    fn links_to_items_get_addresses() {
        check("[`A`] and [b](crate::B).\n", &["a", "b"], "[`A`](a) and [b](b).\n");
        check("[`A<T>`](A)\n", &["a"], "[`A<T>`](a)\n");
        check("[`A`]\n\n[`A`]: crate::A\n", &["a"], "[`A`](a)\n\n");
        check("| [`A`] | `a[0]` |\n", &["a"], "| [`A`](a) | `a[0]` |\n");
        // these are none
        for text in ["[a](#a)", "[a](https://a.test/)", "a[0]", "[a] b", "`[`A`]`", "[", "`"] {
            check(&format!("{text}\n"), &[], &format!("{text}\n"));
        }
        // a list in a program is no link
        check("```js\n[`a`]\n```\n[`A`]\n", &["a"], "```js\n[`a`]\n```\n[`A`](a)\n");
        let error = chapter("Title", "[`A`]", Vec::new()).unwrap_err();
        assert_eq!(error, "1 links to items, of which rustdoc resolved 0");
    }

    #[test]
    fn the_links_of_a_page_of_rustdoc() {
        let html = "<a href=\"x\" title=\"no\"></a><div class=\"docblock\"><p><a href=\"../a.html\" \
                    title=\"struct a\"><code>A</code></a> <a href=\"#b\">b</a></p></div></details>\
                    <a href=\"y\" title=\"mod y\"></a>";
        assert_eq!(links_of_html(html), ["../a.html"]);
    }

    #[test]
    fn addresses_from_a_chapter() {
        let chapters = BTreeSet::from(["all-limits", "rooms", "index"]);
        #[track_caller]
        fn check(chapters: &BTreeSet<&str>, href: &str, expected: &str) {
            assert_eq!(resolve("socketio/guide/a/index.html", href, chapters), expected);
        }
        check(&chapters, "../../struct.A.html#method.b", "api/socketio/struct.A.html#method.b");
        check(&chapters, "../rooms/index.html", "rooms.md");
        check(&chapters, "../../all_limits/index.html#x", "all-limits.md#x");
        check(&chapters, "../index.html", "index.md");
        check(&chapters, "../../index.html", "api/socketio/index.html");
        check(&chapters, "../../../engineio/index.html", "api/engineio/index.html");
        check(&chapters, "https://a.test/b", "https://a.test/b");
    }
}
