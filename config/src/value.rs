//! How the types of a [`Config`](etcd_core::Config) are read from what was written.
//!
//! The names of choices are those of recordings (`etcd_core::trace`). Which setting a value is for is not
//! known here.

use std::borrow::Cow;
use std::time::Duration;

use etcd_core::Balance;
use etcd_core::Namespace;
use etcd_core::WatchCarrier;
use etcd_core::gateway::ApiPrefix;

use crate::duration;
use crate::nearest::nearest;
use crate::tree::Tree;

/// What a value would have to be.
pub(crate) struct Wanted {
    pub(crate) expected: Cow<'static, str>,
    pub(crate) nearest: Option<&'static str>,
}

impl From<&'static str> for Wanted {
    fn from(expected: &'static str) -> Self {
        Cow::Borrowed(expected).into()
    }
}

impl From<String> for Wanted {
    fn from(expected: String) -> Self {
        Cow::<'static, str>::Owned(expected).into()
    }
}

impl From<Cow<'static, str>> for Wanted {
    fn from(expected: Cow<'static, str>) -> Self {
        Self {
            expected,
            nearest: None,
        }
    }
}

/// A type that a value can be read as.
pub(crate) trait Value: Sized {
    fn read(tree: &Tree) -> Result<Self, Wanted>;
}

macro_rules! number {
    ($($number:ty),*) => {$(
        impl Value for $number {
            fn read(tree: &Tree) -> Result<Self, Wanted> {
                let number = tree.whole().and_then(|number| number.try_into().ok());
                number.ok_or_else(|| format!("a whole number from 0 to {}", Self::MAX).into())
            }
        }
    )*};
}

number!(u32, u64, usize);

impl Value for bool {
    fn read(tree: &Tree) -> Result<Self, Wanted> {
        tree.flag().ok_or_else(|| "true or false".into())
    }
}

/// What is off unless it is set.
impl<T: Value> Value for Option<T> {
    fn read(tree: &Tree) -> Result<Self, Wanted> {
        T::read(tree).map(Some)
    }
}

impl Value for Duration {
    fn read(tree: &Tree) -> Result<Self, Wanted> {
        match tree {
            Tree::Whole(seconds) => Ok(Self::from_secs(*seconds)),
            Tree::Number(text) | Tree::Text(text) | Tree::Word(text) => {
                duration::parse_duration(text).map_err(Wanted::from)
            }
            _ => Err(duration::FORM.into()),
        }
    }
}

impl Value for String {
    fn read(tree: &Tree) -> Result<Self, Wanted> {
        tree.text().map(Self::from).ok_or_else(|| "a text".into())
    }
}

impl Value for Namespace {
    fn read(tree: &Tree) -> Result<Self, Wanted> {
        String::read(tree).map(Self::new)
    }
}

impl Value for ApiPrefix {
    fn read(tree: &Tree) -> Result<Self, Wanted> {
        let prefix = tree.text().and_then(|text| text.parse().ok());
        prefix.ok_or_else(|| "of the form \"/v3\"".into())
    }
}

const BALANCES: [(&str, Balance); 4] = [
    ("round_robin", Balance::RoundRobin),
    ("sticky", Balance::Sticky),
    ("priority", Balance::Priority),
    ("leader_first", Balance::LeaderFirst),
];

impl Value for Balance {
    fn read(tree: &Tree) -> Result<Self, Wanted> {
        choice(tree, &BALANCES)
    }
}

const CARRIERS: [(&str, WatchCarrier); 2] = [
    ("shared", WatchCarrier::Shared),
    ("single", WatchCarrier::Single),
];

impl Value for WatchCarrier {
    fn read(tree: &Tree) -> Result<Self, Wanted> {
        choice(tree, &CARRIERS)
    }
}

/// The choice of this name.
fn choice<T: Copy>(tree: &Tree, choices: &[(&'static str, T)]) -> Result<T, Wanted> {
    let given = tree.text().unwrap_or_default();
    if let Some((_, found)) = choices.iter().find(|(name, _)| *name == given) {
        return Ok(*found);
    }
    let names: Vec<&'static str> = choices.iter().map(|(name, _)| *name).collect();
    let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    let (last, others) = quoted.split_last().expect("there is something to choose");
    Err(Wanted {
        expected: format!("one of {} and {last}", others.join(", ")).into(),
        nearest: nearest(given, names),
    })
}
