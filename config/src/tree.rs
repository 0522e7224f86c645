//! What was written, before it means anything: values, lists and tables of any format that serde reads.
//!
//! It takes every value there is. So nothing is refused in the words of serde, which quote the value, and
//! that might be a password. Nothing in here is ever shown: it has no `Debug`, and [`Tree::kind`] names
//! what it is without any of it. Which settings there are is not known here.

use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;

use crate::error::shown;

/// A value as it was written.
#[derive(Clone)]
pub(crate) enum Tree {
    Null,
    Flag(bool),
    Whole(u64),
    /// Any other number, in digits.
    Number(String),
    Text(String),
    /// A text that does not say of what type it is: a variable's.
    Word(String),
    List(Vec<Self>),
    /// Its names are in the order they came in, each once.
    Table(Vec<(String, Self)>),
    /// What no setting can be.
    Odd(&'static str),
}

/// How the crate `toml` hands over dates.
const TOML_DATE: &str = "$__toml_private_datetime";

impl Tree {
    /// What it is, without any of it.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Flag(_) => "true or false",
            Self::Whole(_) | Self::Number(_) => "a number",
            Self::Text(_) | Self::Word(_) => "a text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Odd(kind) => kind,
        }
    }

    /// The text it is, in whichever way.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Word(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is true or false, also as Go writes that in variables.
    pub(crate) fn flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            Self::Word(word) => match word.as_str() {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// The whole number it is.
    pub(crate) fn whole(&self) -> Option<u64> {
        match self {
            Self::Whole(number) => Some(*number),
            // The standard library would take a plus sign.
            Self::Word(word) if word.bytes().all(|byte| byte.is_ascii_digit()) => word.parse().ok(),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Tree, E> {
        Ok(Tree::Flag(flag))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Tree, E> {
        Ok(Tree::Whole(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Tree, E> {
        self.visit_i128(number.into())
    }

    fn visit_u128<E: Error>(self, number: u128) -> Result<Tree, E> {
        let whole = u64::try_from(number).map(Tree::Whole);
        Ok(whole.unwrap_or_else(|_| Tree::Number(number.to_string())))
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<Tree, E> {
        let whole = u64::try_from(number).map(Tree::Whole);
        Ok(whole.unwrap_or_else(|_| Tree::Number(number.to_string())))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Tree, E> {
        // The shortest digits that mean this number, without an exponent: as they were written.
        Ok(Tree::Number(number.to_string()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Tree, E> {
        Ok(Tree::Text(text))
    }

    fn visit_bytes<E: Error>(self, _: &[u8]) -> Result<Tree, E> {
        Ok(Tree::Odd("bytes"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut table: Vec<(String, Tree)> = Vec::new();
        while let Some((name, value)) = members.next_entry::<String, Tree>()? {
            // serde_json would take the last one in silence.
            if table.iter().any(|(known, _)| *known == name) {
                return Err(Error::custom(format_args!(
                    "{} is there twice",
                    shown(&name)
                )));
            }
            table.push((name, value));
        }
        match table.as_slice() {
            [(name, _)] if name == TOML_DATE => Ok(Tree::Odd("a date or time")),
            _ => Ok(Tree::Table(table)),
        }
    }
}
