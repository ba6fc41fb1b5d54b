//! A crate's files, and which of them each one names.
//!
//! A name counts for the file that defines it, however many modules hand it on: what a module
//! re-exports from its parts makes no arrow, its use does. `lib.rs`, which is the table of contents,
//! is no file of the graph, nor are tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::token::Comma;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Meta, UseTree, Visibility};

use crate::checks::rust_files;
use crate::command::Result;

/// For each file the files that it names, with the names.
pub(super) type Imports = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// The text of a crate's files, by their paths below `src`, without the extension; a folder's
/// `mod.rs` has the name of the folder.
pub(super) struct Source(BTreeMap<String, String>);

/// The graph of a crate.
pub(super) struct Crate {
    pub(super) imports: Imports,
}

impl Source {
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        for file in rust_files(folder)? {
            let name = file.strip_prefix(folder)?.to_string_lossy().replace('\\', "/");
            files.insert(name, fs::read_to_string(&file)?);
        }
        Ok(Self::named(files))
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        Self::named(files.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect())
    }

    fn named(files: BTreeMap<String, String>) -> Self {
        let name = |path: &str| {
            let path = path.strip_suffix(".rs").unwrap_or(path);
            path.strip_suffix("/mod").unwrap_or(path).to_owned()
        };
        Self(files.into_iter().map(|(path, text)| (name(&path), text)).collect())
    }
}

/// One file.
struct Module {
    /// Its parts that have files of their own.
    parts: BTreeSet<String>,
    /// What its `use` lines bring in, by the name that it has here.
    uses: BTreeMap<String, Use>,
    /// Whole modules that it brings in (`use x::*`).
    globs: Vec<Vec<String>>,
    /// Paths of more than one segment that stand in its code.
    paths: BTreeSet<Vec<String>>,
    /// All names that stand in its code.
    idents: BTreeSet<String>,
}

#[derive(Clone)]
struct Use {
    path: Vec<String>,
    is_handed_on: bool,
}

impl Crate {
    pub(super) fn new(source: &Source) -> Result<Self> {
        let mut modules = BTreeMap::new();
        let mut waiting = vec![("lib".to_owned(), Vec::new())];
        while let Some((file, at)) = waiting.pop() {
            let text =
                source.0.get(&file).ok_or_else(|| format!("there is no file `{file}.rs`"))?;
            let parsed = syn::parse_file(text).map_err(|error| format!("{file}.rs: {error}"))?;
            let module = Module::of(&parsed.items);
            for part in &module.parts {
                let mut path: Vec<String> = at.clone();
                path.push(part.clone());
                waiting.push((path.join("/"), path));
            }
            modules.insert(at, module);
        }
        let graph = Graph(&modules);
        let mut imports = Imports::new();
        for (at, module) in modules.iter().filter(|(at, _)| !at.is_empty()) {
            let named = imports.entry(at.join("/")).or_default();
            for (target, name) in graph.named_by(at, module) {
                if target != *at && !target.is_empty() {
                    named.entry(target.join("/")).or_default().insert(name);
                }
            }
        }
        Ok(Self { imports })
    }
}

struct Graph<'a>(&'a BTreeMap<Vec<String>, Module>);

impl Graph<'_> {
    /// The modules that a module names, each with the last segment of the name.
    fn named_by(&self, at: &[String], module: &Module) -> Vec<(Vec<String>, String)> {
        let used = module.uses.iter().filter(|(name, used)| {
            // what is handed on only is no use of it
            !used.is_handed_on || module.idents.contains(*name)
        });
        let used = used.map(|(_, used)| &used.path).chain(&module.globs);
        let all = used.chain(&module.paths);
        all.filter_map(|path| {
            let target = self.resolve(at, path, 0)?;
            Some((target, path.last()?.clone()))
        })
        .collect()
    }

    /// The module that defines what a path names, if it is one of this crate.
    fn resolve(&self, at: &[String], path: &[String], depth: usize) -> Option<Vec<String>> {
        if depth > MAX_HOPS {
            return None;
        }
        let mut module = at.to_vec();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => {
                module.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    module.pop()?;
                    rest = &rest[1..];
                }
            }
            first => {
                let here = self.0.get(at)?;
                let is_ours = here.parts.contains(first)
                    || (depth > 0 && here.uses.contains_key(first))
                    || here.uses.get(first).is_some_and(|used| path != used.path);
                if !is_ours {
                    return None;
                }
            }
        }
        while let Some((segment, behind)) = rest.split_first() {
            let here = self.0.get(&module)?;
            if here.parts.contains(segment) {
                module.push(segment.clone());
                rest = behind;
                continue;
            }
            if let Some(used) = here.uses.get(segment) {
                return self.resolve(&module, &used.path, depth + 1);
            }
            let of_globs =
                here.globs.iter().filter_map(|glob| self.resolve(&module, glob, depth + 1));
            let has = |module: &Vec<String>| {
                self.0.get(module).is_some_and(|m| m.uses.contains_key(segment))
            };
            if let Some(other) = of_globs.into_iter().find(has) {
                return self.resolve(&other, rest, depth + 1);
            }
            break; // defined here
        }
        Some(module)
    }
}

impl Module {
    fn of(items: &[Item]) -> Self {
        let mut module = Self {
            parts: BTreeSet::new(),
            uses: BTreeMap::new(),
            globs: Vec::new(),
            paths: BTreeSet::new(),
            idents: BTreeSet::new(),
        };
        items.iter().for_each(|item| module.visit_item(item));
        module
    }

    fn add_use(&mut self, before: &mut Vec<String>, tree: &UseTree, is_handed_on: bool) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.add_use(before, &path.tree, is_handed_on);
                before.pop();
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.add_use(before, tree, is_handed_on));
            }
            UseTree::Glob(_) => self.globs.push(before.clone()),
            UseTree::Name(name) if name.ident == "self" => {
                let name = before.last().cloned().unwrap_or_default();
                self.uses.insert(name, Use { path: before.clone(), is_handed_on });
            }
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                let path = [&before[..], std::slice::from_ref(&name)].concat();
                self.uses.insert(name, Use { path, is_handed_on });
            }
            UseTree::Rename(rename) => {
                let path = [&before[..], &[rename.ident.to_string()]].concat();
                // `as _` is used by what it brings into scope
                self.uses.insert(rename.rename.to_string(), Use { path, is_handed_on });
            }
        }
    }

    /// The paths in the tokens of a macro.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.add_path(std::mem::take(&mut path));
                    }
                    path.push(ident.to_string());
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                    continue;
                }
                TokenTree::Group(group) => self.add_tokens(group.stream()),
                _ => {}
            }
            self.add_path(std::mem::take(&mut path));
            colons = 0;
        }
        self.add_path(path);
    }

    fn add_path(&mut self, path: Vec<String>) {
        self.idents.extend(path.first().cloned());
        if path.len() > 1 {
            self.paths.insert(path);
        }
    }
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        match &item.content {
            None => drop(self.parts.insert(item.ident.to_string())),
            // what stands in a module within the file counts as the file's
            Some((_, items)) => items.iter().for_each(|item| self.visit_item(item)),
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_handed_on = !matches!(item.vis, Visibility::Inherited);
        self.add_use(&mut Vec::new(), &item.tree, is_handed_on);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add_path(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.visit_path(&item.path);
        self.add_tokens(item.tokens.clone());
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether something is there in tests only.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<Meta>().is_ok_and(|condition| is_test_only(&condition))
    })
}

fn is_test_only(condition: &Meta) -> bool {
    match condition {
        Meta::List(all) if all.path.is_ident("all") => all
            .parse_args_with(Punctuated::<Meta, Comma>::parse_terminated)
            .is_ok_and(|conditions| conditions.iter().any(is_test_only)),
        other => other.path().is_ident("test"),
    }
}

/// As many modules may hand a name on; a loop of them ends here.
const MAX_HOPS: usize = 16;
