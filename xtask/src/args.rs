//! A command's line: options, nearly all with a value, plain words, and whatever is behind `--`.
//!
//! `--name value` and `--name=value` mean the same; `--help` is understood before `--`. It knows
//! no command: each says which options it takes and what it makes of them.

use std::ffi::OsString;

use crate::failure::Failure;

/// The options that are given or not, and take no value.
const FLAGS: [&str; 1] = ["--embedded"];

/// A command's line, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Args {
    /// Each option with its value, in the order given.
    options: Vec<(&'static str, String)>,
    /// What stands before `--` and belongs to no option.
    words: Vec<String>,
    /// What stands behind `--`.
    rest: Vec<OsString>,
    help: bool,
}

impl Args {
    /// Takes `given` apart; an option that is not among `known` is an error that names `command`.
    pub(crate) fn parse(
        command: &str,
        known: &[&'static str],
        given: Vec<OsString>,
    ) -> Result<Self, Failure> {
        let mut args = Self::default();
        let mut given = given.into_iter();
        while let Some(word) = given.next() {
            let word = text(word)?;
            match word.split_once('=').unwrap_or((&word, "")) {
                ("--", _) if word == "--" => args.rest = given.by_ref().collect(),
                ("--help" | "-h", _) => args.help = true,
                (name, value) if name.starts_with('-') && name.len() > 1 => {
                    let name = known.iter().find(|known| **known == name).ok_or_else(|| {
                        let name = if name.is_empty() { &word } else { name };
                        Failure::usage(match known {
                            [] => format!("{command} takes no options, not even {name}"),
                            _ => format!("{command} takes {}, not {name}", known.join(" and ")),
                        })
                    })?;
                    if FLAGS.contains(name) {
                        if word.contains('=') {
                            return Err(Failure::usage(format!("{name} takes no value")));
                        }
                        args.options.push((name, String::new()));
                        continue;
                    }
                    let value = match word.contains('=') {
                        true => value.to_owned(),
                        false => text(given.next().unwrap_or_default())?,
                    };
                    if value.is_empty() || value == "--" {
                        return Err(Failure::usage(format!("{name} needs a value")));
                    }
                    args.options.push((name, value));
                }
                _ => args.words.push(word),
            }
        }
        Ok(args)
    }

    pub(crate) fn asks_for_help(&self) -> bool {
        self.help
    }

    /// All values of an option, in the order given.
    pub(crate) fn all(&self, option: &str) -> Vec<&str> {
        let values = self.options.iter().filter(|(name, _)| *name == option);
        values.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of an option that makes sense only once.
    pub(crate) fn one(&self, option: &str) -> Result<Option<&str>, Failure> {
        match *self.all(option) {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            _ => Err(Failure::usage(format!("{option} can be given once only"))),
        }
    }

    /// Whether an option that takes no value was given.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.options.iter().any(|(name, _)| *name == flag)
    }

    /// The plain words before `--`.
    pub(crate) fn words(&self) -> &[String] {
        &self.words
    }

    /// Everything behind `--`.
    pub(crate) fn rest(&self) -> &[OsString] {
        &self.rest
    }
}

fn text(word: OsString) -> Result<String, Failure> {
    word.into_string()
        .map_err(|word| Failure::usage(format!("{} is not UTF-8", word.to_string_lossy())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, Failure> {
        Args::parse(
            "test",
            &["--etcd"],
            line.split_whitespace().map(OsString::from).collect(),
        )
    }

    #[test]
    fn options_words_and_the_rest_are_told_apart() {
        let args = parse("--etcd 3.4 one --etcd=a=b -- --etcd x -- y").unwrap();
        assert_eq!(args.all("--etcd"), ["3.4", "a=b"]);
        assert_eq!(args.words(), ["one"]);
        assert_eq!(args.rest(), ["--etcd", "x", "--", "y"]);
        assert!(args.one("--etcd").is_err());
        assert!(!args.asks_for_help());
        assert!(parse("--etcd 3.4 --help").unwrap().asks_for_help());
        assert!(!parse("-- --help").unwrap().asks_for_help());
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let said = |line| parse(line).unwrap_err().to_string();
        assert!(said("--ectd 3.4").starts_with("test takes --etcd, not --ectd"));
        assert!(said("--=x").starts_with("test takes --etcd, not --"));
        for line in ["--etcd", "--etcd=", "--etcd -- x"] {
            assert!(said(line).starts_with("--etcd needs a value"), "{line}");
        }
    }
}
