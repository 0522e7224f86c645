//! How what was written becomes settings.
//!
//! Every value is read as what it has to be when it comes in, so that an error names where it stood: by the
//! setting with its tables, or by the variable. What may be shown of a bad value is decided here.

use etcd_core::Config;
use etcd_core::Endpoint;
use etcd_core::http::HeaderName;

use crate::error::SettingsError;
use crate::error::shown;
use crate::names;
use crate::names::Kind;
use crate::names::Setting;
use crate::settings::Settings;
use crate::settings::plain;
use crate::tree::Tree;
use crate::value::Wanted;

impl Settings {
    /// Settings that were written as a table.
    pub(crate) fn from_tree(tree: Tree) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        let Tree::Table(members) = tree else {
            return Err(bad_kind("the whole", &tree, "a table of settings"));
        };
        for (name, value) in members {
            settings.read_tree(&name, value)?;
        }
        Ok(settings)
    }

    /// Reads the setting, or the table of settings, of this name.
    pub(crate) fn read_tree(&mut self, name: &str, tree: Tree) -> Result<(), SettingsError> {
        let header = name.strip_prefix(names::HEADERS);
        if let Some(header) = header.and_then(|rest| rest.strip_prefix('.')) {
            return self.read_header(header, &tree);
        }
        if let Some(setting) = names::find(name) {
            return match tree {
                Tree::Null => Ok(()),
                tree => self.insert(setting, tree, name),
            };
        }
        if !names::is_table(name) {
            return Err(SettingsError::Unknown {
                name: name.to_owned(),
                nearest: names::meant(name),
            });
        }
        match tree {
            Tree::Null => Ok(()),
            Tree::Table(members) => members
                .into_iter()
                .try_for_each(|(member, value)| self.read_tree(&format!("{name}.{member}"), value)),
            tree => Err(bad_kind(name, &tree, "a table of settings")),
        }
    }

    /// Takes in the value of a setting, which errors call by this name.
    pub(crate) fn insert(
        &mut self,
        setting: &'static Setting,
        tree: Tree,
        name: &str,
    ) -> Result<(), SettingsError> {
        if self.is_set(setting.name) {
            return Err(twice(name));
        }
        let value = match setting.kind {
            Kind::Headers => return self.read_headers(tree, name),
            Kind::Plain(set) => {
                // What it would make of any configuration says whether it can be.
                let mut config = Config::new(["localhost"])?;
                set(&mut config, &tree).map_err(|wanted| bad_value(name, &tree, wanted))?;
                tree
            }
            Kind::Endpoints => read_endpoints(name, tree)?,
            Kind::Flag => match tree.flag() {
                Some(flag) => Tree::Flag(flag),
                // One of them stands beside a password, which may have got into its line.
                None => return Err(bad_kind(name, &tree, "true or false")),
            },
            Kind::Text | Kind::Secret => match tree.text() {
                Some(text) => Tree::Text(text.to_owned()),
                None => return Err(bad_kind(name, &tree, "a text")),
            },
            Kind::Path => match tree.text() {
                // Neither the text of a key nor what the system says of a file so called is to be shown.
                Some(text) if text.contains(['\n', '\r', '\0']) || text.contains("-----") => {
                    return Err(SettingsError::BadValue {
                        name: name.to_owned(),
                        found: "what such a file has in it".to_owned(),
                        expected: "the path of a file".to_owned(),
                        nearest: None,
                    });
                }
                Some(text) => Tree::Text(text.to_owned()),
                None => return Err(bad_kind(name, &tree, "the path of a file")),
            },
        };
        self.put(setting.name, value);
        Ok(())
    }

    /// Reads headers as a table, or from a variable as lines.
    fn read_headers(&mut self, tree: Tree, name: &str) -> Result<(), SettingsError> {
        const FORM: &str = "lines such as \"X-Name: value\"";
        match &tree {
            Tree::Word(lines) => {
                for line in lines.lines().filter(|line| !line.trim().is_empty()) {
                    // What is no name may be a part of a value: it is not shown.
                    let (header, value) = line
                        .split_once(':')
                        .filter(|(header, _)| HeaderName::from_bytes(header.as_bytes()).is_ok())
                        .ok_or_else(|| bad_kind(name, &tree, FORM))?;
                    self.read_header(header, &Tree::Text(value.trim().to_owned()))?;
                }
                Ok(())
            }
            Tree::Table(members) => members
                .iter()
                .try_for_each(|(header, value)| self.read_header(header, value)),
            _ => Err(bad_kind(name, &tree, "a table of texts")),
        }
    }

    fn read_header(&mut self, header: &str, value: &Tree) -> Result<(), SettingsError> {
        let name = format!("{}.{header}", names::HEADERS);
        let text = match (value, value.text()) {
            (Tree::Null, _) => return Ok(()),
            (_, Some(text)) => text,
            _ => return Err(bad_kind(&shown(&name), value, "a text")),
        };
        Config::new(["localhost"])?.add_header(header, text)?;
        if self.has_header(header) {
            return Err(twice(&name));
        }
        self.put_header(header, text);
        Ok(())
    }
}

/// Endpoints as a list, or as one text with commas between them.
fn read_endpoints(name: &str, tree: Tree) -> Result<Tree, SettingsError> {
    const FORM: &str = "a list of endpoints such as \"http://10.0.0.1:2379\", or one text with commas between them";
    let list: Option<Vec<&str>> = match &tree {
        Tree::List(items) => items.iter().map(Tree::text).collect(),
        tree => tree.text().map(|text| text.split(',').collect()),
    };
    let list = list.ok_or_else(|| bad_kind(name, &tree, FORM))?;
    // Looked for before they are shown, since a password may have a comma in it.
    if list.iter().any(|endpoint| endpoint.contains('@')) {
        return Err(SettingsError::Unsupported {
            name: name.to_owned(),
            reason: "user and password do not belong into an endpoint, but into credentials",
        });
    }
    let mut endpoints = Vec::new();
    for endpoint in list {
        let endpoint = endpoint.trim();
        endpoint.parse::<Endpoint>()?;
        endpoints.push(Tree::Text(endpoint.to_owned()));
    }
    Ok(Tree::List(endpoints))
}

fn twice(name: &str) -> SettingsError {
    SettingsError::Twice {
        name: name.to_owned(),
    }
}

/// Says what a value is that may be shown.
fn bad_value(name: &str, found: &Tree, wanted: Wanted) -> SettingsError {
    let found = match found {
        Tree::Whole(_) | Tree::Number(_) | Tree::Text(_) | Tree::Word(_) => plain(found),
        other => other.kind().to_owned(),
    };
    SettingsError::BadValue {
        name: name.to_owned(),
        found,
        expected: wanted.expected.into_owned(),
        nearest: wanted.nearest.map(str::to_owned),
    }
}

/// Says no more of a value than what kind it is of.
pub(crate) fn bad_kind(name: &str, found: &Tree, expected: &str) -> SettingsError {
    SettingsError::BadValue {
        name: name.to_owned(),
        found: found.kind().to_owned(),
        expected: expected.to_owned(),
        nearest: None,
    }
}
