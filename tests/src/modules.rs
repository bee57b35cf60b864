//! The module graph of a crate, read from its sources.
//!
//! An import is a name in the code of one file, outside of tests, that another file of the crate
//! defines. Re-exports are followed to the file with the definition; declaring a module and
//! re-exporting a name are not imports. Calls of methods name no type, so they are not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemUse, Meta, UseTree, Visibility};

/// Re-exports of re-exports that are followed before giving up.
const MAX_HOPS: usize = 32;

/// The files of a crate, and what each imports from the others.
#[derive(Debug)]
pub struct ModuleGraph {
    /// The top-level modules, level by level: `lib.rs` declares them in this order, with an empty
    /// line between two levels.
    pub levels: Vec<Vec<String>>,
    /// Every import, once for each pair of files.
    pub imports: Vec<Import>,
}

/// One file names something that another defines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// The file with the name, relative to the crate's `src`.
    pub from: PathBuf,
    /// The line of the name, from 1.
    pub line: usize,
    /// The path as written.
    pub name: String,
    /// The file with the definition, relative to the crate's `src`.
    pub to: PathBuf,
}

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, line, name, to } = self;
        write!(f, "{}:{line}: `{name}` is defined in {}", from.display(), to.display())
    }
}

/// The floor of a file: the first part of its path.
pub fn floor(file: &Path) -> String {
    let first = file.components().next().map(|part| part.as_os_str().to_string_lossy());
    first.unwrap_or_default().trim_end_matches(".rs").to_owned()
}

impl ModuleGraph {
    /// Reads the crate whose `lib.rs` lies in `src`.
    ///
    /// # Panics
    /// If a file can't be read or does not parse.
    pub fn read(src: &Path) -> Self {
        let mut reader = Reader { src: src.to_owned(), modules: Vec::new() };
        reader.file(Path::new("lib.rs"), None, String::new());
        let levels = levels(&reader.modules[0].order);
        let mut imports = BTreeMap::new();
        for module in &reader.modules {
            for (path, line) in &module.names {
                let Some(target) = reader.definition(module.index, path, MAX_HOPS) else {
                    continue;
                };
                let (from, to) = (&module.file, &reader.modules[target].file);
                if from != to {
                    let name = path.join("::");
                    imports.entry((from.clone(), to.clone())).or_insert((*line, name));
                }
            }
        }
        let imports = imports.into_iter();
        let imports =
            imports.map(|((from, to), (line, name))| Import { from, line, name, to }).collect();
        Self { levels, imports }
    }

    /// Imports of a floor from another on its own level or on a later one.
    pub fn against_the_order(&self) -> Vec<&Import> {
        let level = |file: &Path| {
            let floor = floor(file);
            self.levels.iter().position(|level| level.contains(&floor))
        };
        let is_wrong = |import: &&Import| match (level(&import.from), level(&import.to)) {
            (Some(from), Some(to)) => to >= from && floor(&import.from) != floor(&import.to),
            // `lib.rs` sees every floor, and no floor sees `lib.rs`.
            (Some(_), None) => true,
            (None, _) => false,
        };
        self.imports.iter().filter(is_wrong).collect()
    }

    /// Groups of files that import each other, with the imports between them.
    pub fn circles(&self) -> Vec<Vec<&Import>> {
        let edges = self.imports.iter().map(|import| (import.from.as_path(), import.to.as_path()));
        let groups = tarjan_scc(&DiGraphMap::<&Path, ()>::from_edges(edges));
        let circles = groups.into_iter().filter(|files| files.len() > 1).map(|files| {
            let is_inside = |import: &&Import| {
                files.contains(&import.from.as_path()) && files.contains(&import.to.as_path())
            };
            self.imports.iter().filter(is_inside).collect()
        });
        circles.collect()
    }

    /// The floors as a Mermaid graph: an arrow from a floor to each that it imports from.
    pub fn picture(&self) -> String {
        let mut arrows = BTreeSet::new();
        for import in &self.imports {
            let (from, to) = (floor(&import.from), floor(&import.to));
            if from != to && from != "lib" && from != "main" {
                arrows.insert((from, to));
            }
        }
        let mut picture = String::from("graph TD\n");
        for floor in self.levels.iter().flatten().rev() {
            let targets = arrows.iter().filter(|(from, _)| from == floor);
            let targets: Vec<_> = targets.map(|(_, to)| to.as_str()).collect();
            if !targets.is_empty() {
                picture += &format!("  {floor} --> {}\n", targets.join(" & "));
            }
        }
        picture
    }
}

/// Declarations on neighbouring lines are one level.
fn levels(declarations: &[(String, usize, usize)]) -> Vec<Vec<String>> {
    let mut levels: Vec<Vec<String>> = Vec::new();
    let mut previous = 0;
    for (name, first, last) in declarations {
        match levels.last_mut() {
            Some(level) if *first == previous + 1 => level.push(name.clone()),
            _ => levels.push(vec![name.clone()]),
        }
        previous = *last;
    }
    levels
}

/// A module, while the sources are read.
struct Module {
    index: usize,
    parent: Option<usize>,
    file: PathBuf,
    /// Child modules with the first and last line of each declaration, in order.
    order: Vec<(String, usize, usize)>,
    children: BTreeMap<String, usize>,
    /// Names that it defines.
    items: BTreeSet<String>,
    /// Names that `use` brings, with their paths.
    aliases: BTreeMap<String, Vec<String>>,
    /// Paths of `use …::*`.
    globs: Vec<Vec<String>>,
    /// Paths in its code, with their lines.
    names: Vec<(Vec<String>, usize)>,
}

struct Reader {
    src: PathBuf,
    modules: Vec<Module>,
}

impl Reader {
    fn file(&mut self, file: &Path, parent: Option<usize>, name: String) {
        let path = self.src.join(file);
        let text = fs_err::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let parsed =
            syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.module(file, parent, name, &parsed.items);
    }

    fn module(&mut self, file: &Path, parent: Option<usize>, name: String, items: &[Item]) {
        let index = self.modules.len();
        self.modules.push(Module {
            index,
            parent,
            file: file.to_owned(),
            order: Vec::new(),
            children: BTreeMap::new(),
            items: BTreeSet::new(),
            aliases: BTreeMap::new(),
            globs: Vec::new(),
            names: Vec::new(),
        });
        if let Some(parent) = parent {
            self.modules[parent].children.insert(name, index);
        }
        for item in items.iter().filter(|item| !is_for_tests(attributes(item))) {
            match item {
                Item::Mod(child) => {
                    let name = child.ident.to_string();
                    let last = child.mod_token.span;
                    let first = child.attrs.first().map_or(last, |first| first.pound_token.span);
                    let lines = (first.start().line, last.end().line);
                    self.modules[index].order.push((name.clone(), lines.0, lines.1));
                    if let Some((_, items)) = &child.content {
                        self.module(file, Some(index), name, items);
                    } else {
                        let path = self.file_of(file, &child.attrs, &name);
                        self.file(&path, Some(index), name);
                    }
                }
                Item::Use(import) => self.modules[index].import(import),
                other => {
                    self.modules[index].items.extend(name_of(other));
                    let mut names = Names::default();
                    names.visit_item(other);
                    self.modules[index].names.append(&mut names.0);
                }
            }
        }
    }

    /// Where a child module's file is, relative to `src`.
    fn file_of(&self, parent: &Path, attributes: &[Attribute], name: &str) -> PathBuf {
        let folder = parent.parent().unwrap_or(Path::new(""));
        if let Some(path) = attributes.iter().find_map(path_attribute) {
            return folder.join(path);
        }
        let stem = parent.file_stem().unwrap_or_default().to_string_lossy();
        let folder = match stem.as_ref() {
            "lib" | "main" | "mod" => folder.to_owned(),
            stem => folder.join(stem),
        };
        let flat = folder.join(format!("{name}.rs"));
        if self.src.join(&flat).is_file() { flat } else { folder.join(name).join("mod.rs") }
    }

    /// The module that defines what a path names; `None` for another crate's, and for a module.
    fn definition(&self, from: usize, path: &[String], hops: usize) -> Option<usize> {
        let hops = hops.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        let module = &self.modules[from];
        match first.as_str() {
            "crate" => self.walk(0, rest, hops),
            "self" => self.walk(from, rest, hops),
            "super" => self.walk(module.parent?, rest, hops),
            _ if module.defines(first) => self.walk(from, path, hops),
            _ => self.by_glob(from, path, hops),
        }
    }

    fn walk(&self, module: usize, path: &[String], hops: usize) -> Option<usize> {
        let hops = hops.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        let this = &self.modules[module];
        if first == "super" {
            return self.walk(this.parent?, rest, hops);
        }
        if let Some(child) = this.children.get(first) {
            return self.walk(*child, rest, hops);
        }
        if this.items.contains(first) {
            return Some(module);
        }
        if let Some(alias) = this.aliases.get(first) {
            let whole: Vec<_> = alias.iter().chain(rest).cloned().collect();
            return self.definition(module, &whole, hops);
        }
        self.by_glob(module, path, hops)
    }

    fn by_glob(&self, module: usize, path: &[String], hops: usize) -> Option<usize> {
        let globs = &self.modules[module].globs;
        globs.iter().find_map(|glob| {
            let whole: Vec<_> = glob.iter().chain(path).cloned().collect();
            self.definition(module, &whole, hops)
        })
    }
}

impl Module {
    fn defines(&self, name: &str) -> bool {
        self.children.contains_key(name)
            || self.items.contains(name)
            || self.aliases.contains_key(name)
    }

    fn import(&mut self, import: &ItemUse) {
        let line = import.use_token.span.start().line;
        let mut leaves = Vec::new();
        flatten(&import.tree, &mut Vec::new(), &mut leaves);
        for (path, alias) in leaves {
            match alias {
                Some(alias) => drop(self.aliases.insert(alias, path.clone())),
                None => self.globs.push(path.clone()),
            }
            if matches!(import.vis, Visibility::Inherited) {
                self.names.push((path, line));
            }
        }
    }
}

/// The paths of a `use`, with the names that they bring; none for `*`.
fn flatten(
    tree: &UseTree,
    prefix: &mut Vec<String>,
    leaves: &mut Vec<(Vec<String>, Option<String>)>,
) {
    let with = |prefix: &[String], name: &syn::Ident| {
        let mut path = prefix.to_vec();
        if name != "self" {
            path.push(name.to_string());
        }
        path
    };
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            flatten(&path.tree, prefix, leaves);
            prefix.pop();
        }
        UseTree::Name(name) => {
            let path = with(prefix, &name.ident);
            let alias = path.last().cloned();
            leaves.push((path, alias));
        }
        UseTree::Rename(rename) => {
            leaves.push((with(prefix, &rename.ident), Some(rename.rename.to_string())));
        }
        UseTree::Glob(_) => leaves.push((prefix.clone(), None)),
        UseTree::Group(group) => {
            group.items.iter().for_each(|tree| flatten(tree, prefix, leaves));
        }
    }
}

/// Collects the paths in code, those in the arguments of macros included.
#[derive(Default)]
struct Names(Vec<(Vec<String>, usize)>);

impl<'ast> Visit<'ast> for Names {
    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, import: &'ast ItemUse) {
        let line = import.use_token.span.start().line;
        let mut leaves = Vec::new();
        flatten(&import.tree, &mut Vec::new(), &mut leaves);
        self.0.extend(leaves.into_iter().map(|(path, _)| (path, line)));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let Some(first) = path.segments.first() {
            let line = first.ident.span().start().line;
            let names = path.segments.iter().map(|segment| segment.ident.to_string());
            self.0.push((names.collect(), line));
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.tokens(call.tokens.clone());
    }
}

impl Names {
    /// Paths of two parts and more: a single word in a macro can be anything.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let (mut line, mut colons) = (0, 0);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) if colons == 2 && !path.is_empty() => {
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.keep(&mut path, line);
                    colons = 0;
                    match other {
                        TokenTree::Ident(ident) => {
                            line = ident.span().start().line;
                            path.push(ident.to_string());
                        }
                        TokenTree::Group(group) => self.tokens(group.stream()),
                        TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                    }
                }
            }
        }
        self.keep(&mut path, line);
    }

    fn keep(&mut self, path: &mut Vec<String>, line: usize) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.0.push((path, line));
        }
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let Meta::List(list) = &attribute.meta else { return false };
        let has_test = |tokens: TokenStream| {
            tokens
                .into_iter()
                .any(|token| matches!(token, TokenTree::Ident(word) if word == "test"))
        };
        list.path.is_ident("cfg") && has_test(list.tokens.clone())
    })
}

fn path_attribute(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) = &pair.value else {
        return None;
    };
    pair.path.is_ident("path").then(|| path.value())
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
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}
