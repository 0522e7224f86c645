//! The README's table of calls and options against the code: every name in it exists, and every path,
//! call and option that exists is in it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// The paths of gateway.md section 2, and the pages beside them.
const PATHS: &str =
    "kv/range kv/put kv/deleterange kv/txn kv/compaction watch lease/grant lease/revoke
    lease/keepalive lease/timetolive lease/leases cluster/member/add cluster/member/remove
    cluster/member/update cluster/member/list cluster/member/promote maintenance/alarm
    maintenance/status maintenance/defragment maintenance/hash maintenance/hashkv
    maintenance/snapshot maintenance/transfer-leadership maintenance/downgrade auth/enable
    auth/disable auth/status auth/authenticate auth/user/add auth/user/get auth/user/list
    auth/user/delete auth/user/changepw auth/user/grant auth/user/revoke auth/role/add
    auth/role/get auth/role/list auth/role/delete auth/role/grant auth/role/revoke lock/lock
    lock/unlock election/campaign election/proclaim election/leader election/resign
    election/observe /version /health /livez /readyz /metrics";

#[test]
fn the_table_names_what_there_is() {
    let rows = rows();
    assert!(rows.len() > 80, "{} rows", rows.len());
    let core = Source::of("core/src");
    let std = Source::of("runtime-std/src");
    let smol = Source::of("runtime-smol/src");

    let mut wrong = Vec::new();
    let mut named = BTreeSet::new();
    for name in rows.iter().flat_map(|row| names(&row[1])) {
        let exists = match name.split_once("::") {
            _ if name.starts_with("client.") => {
                let method = name.trim_start_matches("client.");
                std.has("Client", method) && smol.has("Client", method)
            }
            None => match name.split_once('.') {
                Some((of, field)) => core.has_field(of, field),
                None => core.types.contains(&name),
            },
            Some((of, method)) => {
                core.has(of, method) || std.has(of, method) && smol.has(of, method)
            }
        };
        if !exists {
            wrong.push(format!("`{name}` does not exist"));
        }
        named.insert(name);
    }

    let asked: BTreeSet<String> = rows.iter().flat_map(|row| names(&row[0])).collect();
    for path in PATHS.split_whitespace() {
        if !asked.contains(path) {
            wrong.push(format!("`{path}` is not in the table"));
        }
    }
    for call in &core.calls {
        let with_a_method = |name: &String| name.starts_with(&format!("{call}::"));
        if !named.contains(call) && !named.iter().any(with_a_method) {
            wrong.push(format!("the call `{call}` is not in the table"));
        }
    }
    for (of, method) in &core.methods {
        let is_option = method.starts_with("with_");
        if is_option && core.calls.contains(of) && !named.contains(&format!("{of}::{method}")) {
            wrong.push(format!("the option `{of}::{method}` is not in the table"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// The cells of each row.
fn rows() -> Vec<Vec<String>> {
    let readme = fs::read_to_string(root().join("README.md")).expect("there is a README");
    let table = readme
        .split_once("| etcd | here |")
        .expect("there is the table")
        .1;
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells = |row: &str| -> Vec<String> {
        let cells = row.trim_matches('|').split(" | ");
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    let rows: Vec<Vec<String>> = rows.map(cells).collect();
    for row in &rows {
        assert_eq!(row.len(), 4, "{row:?}");
    }
    rows
}

/// What stands in backticks.
fn names(cell: &str) -> Vec<String> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The public names in a folder of sources.
#[derive(Default)]
struct Source {
    types: BTreeSet<String>,
    /// The types that are requests: calls and streams.
    calls: BTreeSet<String>,
    /// Methods and variants, each with the type it is of.
    methods: BTreeSet<(String, String)>,
    fields: BTreeSet<(String, String)>,
    macros: BTreeMap<String, Made>,
}

/// What a macro makes of its first argument.
#[derive(Default)]
struct Made {
    is_call: bool,
    methods: BTreeSet<String>,
}

impl Source {
    fn of(folder: &str) -> Self {
        let mut texts = Vec::new();
        read_folder(&root().join(folder), &mut texts);
        let mut source = Self::default();
        // Macros first: what they make is what they were given.
        for text in &texts {
            source.read_macros(text);
        }
        for text in &texts {
            source.read(text);
        }
        assert!(!source.methods.is_empty(), "{folder}");
        source
    }

    fn has(&self, of: &str, method: &str) -> bool {
        self.methods.contains(&(of.to_owned(), method.to_owned()))
    }

    fn has_field(&self, of: &str, field: &str) -> bool {
        self.fields.contains(&(of.to_owned(), field.to_owned()))
    }

    fn read_macros(&mut self, source: &str) {
        let mut lines = source.lines();
        while let Some(line) = lines.next() {
            let Some(name) = after(line, &["macro_rules! "]) else {
                continue;
            };
            let mut made = Made::default();
            for line in lines.by_ref().take_while(|line| *line != "}") {
                let words = line.trim_start();
                made.is_call |= words.starts_with("$crate::api::call::call!($request")
                    || words.starts_with("call!($request")
                    || words.starts_with("impl Call for $request");
                made.methods.extend(method(words));
            }
            self.macros.insert(name, made);
        }
    }

    fn read(&mut self, source: &str) {
        let mut of = String::new();
        // The macro whose first argument is still to come.
        let mut open: Option<String> = None;
        let mut lines = source.lines();
        while let Some(line) = lines.next() {
            if line.starts_with("macro_rules!") {
                lines
                    .by_ref()
                    .take_while(|line| *line != "}")
                    .for_each(drop);
                continue;
            }
            let words = line.trim_start();
            let top = words.len() == line.len();
            let comment = words.starts_with("//") || words.starts_with('#');
            if let Some(name) = open.take_if(|_| !comment) {
                self.make(&name, word(words));
            } else if let Some((name, rest)) = words.split_once('!').filter(|_| top && !comment) {
                let argument = word(rest.trim_start_matches(['(', '{', ' ']));
                match argument.is_empty() {
                    true => open = Some(name.to_owned()),
                    false => self.make(name, argument),
                }
            } else if let Some(name) = after(words, &["pub struct ", "pub enum ", "pub trait "]) {
                self.types.insert(name.clone());
                of = name;
            } else if top && words.starts_with("impl") {
                let target = words.rsplit(" for ").next().unwrap_or(words);
                of = after(target, &["impl ", "impl<T> "]).unwrap_or_else(|| word(target));
            } else if let Some(name) = method(words) {
                self.methods.insert((of.clone(), name));
            } else if let Some(name) = after(words, &["pub "]) {
                self.fields.insert((of.clone(), name));
            } else if words.starts_with(|first: char| first.is_ascii_uppercase()) {
                self.methods.insert((of.clone(), word(words)));
            }
        }
    }

    /// Takes note of what a macro makes of its first argument.
    fn make(&mut self, name: &str, of: String) {
        let Some(made) = self.macros.get(name) else {
            return;
        };
        let methods = made
            .methods
            .iter()
            .map(|method| (of.clone(), method.clone()));
        self.methods.extend(methods);
        if made.is_call || name == "call" {
            self.calls.insert(of.clone());
        }
        self.types.insert(of);
    }
}

fn read_folder(folder: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_folder(&path, texts);
        } else if path.extension().is_some_and(|end| end == "rs") {
            texts.push(fs::read_to_string(&path).expect("a source"));
        }
    }
}

fn method(words: &str) -> Option<String> {
    after(words, &["pub fn ", "pub const fn ", "pub async fn "])
}

/// The word after one of these beginnings.
fn after(line: &str, beginnings: &[&str]) -> Option<String> {
    let rest = beginnings.iter().find_map(|begin| line.strip_prefix(begin));
    rest.map(word).filter(|word| !word.is_empty())
}

fn word(text: &str) -> String {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    text[..end.unwrap_or(text.len())].to_owned()
}
