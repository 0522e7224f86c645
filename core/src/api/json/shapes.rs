//! The shapes of etcd's JSON: messages, oneofs and enums, each as a macro that implements
//! [`Json`](super::Json), `Serialize` and `Deserialize`.
//!
//! The same rule holds as for single values: errors name the field and quote nothing.

use core::fmt;
use std::borrow::Cow;

use serde::de;

use super::{Field, Json, Nullable, Value, refuse};

/// The name of a member, borrowed from the input where the input allows it.
pub(crate) struct Name<'de>(pub(crate) Cow<'de, str>);

impl<'de> de::Deserialize<'de> for Name<'de> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field")
            }

            fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_identifier(Visitor)
    }
}

/// Which fields of an object were seen, to refuse the second of a kind.
#[derive(Default)]
pub(crate) struct Seen(u32);

impl Seen {
    /// The value of a field, or nothing for `null`.
    pub(crate) fn value<'de, A: de::MapAccess<'de>, T: Json>(
        &mut self,
        map: &mut A,
        index: usize,
        field: Field<'_>,
    ) -> Result<Option<T>, A::Error> {
        let bit = 1_u32 << index;
        if self.0 & bit != 0 {
            return Err(de::Error::duplicate_field(field.name));
        }
        self.0 |= bit;
        map.next_value_seed(Nullable(Value::new(field)))
    }
}

/// The place of `name` among `names`. It is computed when the client is compiled.
pub(crate) const fn position(names: &[&str], name: &str) -> usize {
    assert!(names.len() <= 32, "one bit of `Seen` for each field");
    let name = name.as_bytes();
    let mut index = 0;
    while index < names.len() {
        let candidate = names[index].as_bytes();
        let mut same = 0;
        while same < name.len() && same < candidate.len() && name[same] == candidate[same] {
            same += 1;
        }
        if same == name.len() && same == candidate.len() {
            return index;
        }
        index += 1;
    }
    panic!("no such field")
}

/// Reads an enum from its name or its number. It never quotes what it does not know.
pub(crate) fn read_name<'de, D: de::Deserializer<'de>, T>(
    field: Field<'_>,
    deserializer: D,
    values: &'static [(T, &'static str, u64)],
) -> Result<T, D::Error>
where
    T: Copy + 'static,
{
    struct Visitor<'a, T: 'static>(Field<'a>, &'static [(T, &'static str, u64)]);

    impl<T: Copy> de::Visitor<'_> for Visitor<'_, T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a known name or number in `{}`", self.0)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            match self.1.iter().find(|(_, name, _)| *name == text) {
                Some((value, _, _)) => Ok(*value),
                None => Err(E::invalid_value(de::Unexpected::Other("name"), &self)),
            }
        }

        fn visit_u64<E: de::Error>(self, found: u64) -> Result<T, E> {
            match self.1.iter().find(|(_, _, number)| *number == found) {
                Some((value, _, _)) => Ok(*value),
                None => Err(E::invalid_value(de::Unexpected::Other("number"), &self)),
            }
        }

        fn visit_i64<E: de::Error>(self, _: i64) -> Result<T, E> {
            Err(E::invalid_value(de::Unexpected::Other("number"), &self))
        }

        refuse!(truth fraction);
    }

    deserializer.deserialize_any(Visitor(field, values))
}

/// Gives a struct its form: each field by its name in etcd's JSON. Reading starts from
/// `Self::default()`, which must therefore have nothing but zeros.
macro_rules! message {
    ($message:ident { $($json:literal => $($field:ident).+),* $(,)? }) => {
        impl serde::Serialize for $message {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                #[allow(unused_mut, reason = "some messages have no fields")]
                let mut map = serializer.serialize_map(None)?;
                $(
                    if !$crate::api::json::Json::is_zero(&self.$($field).+) {
                        let value = $crate::api::json::Written(&self.$($field).+);
                        serde::ser::SerializeMap::serialize_entry(&mut map, $json, &value)?;
                    }
                )*
                serde::ser::SerializeMap::end(map)
            }
        }

        impl<'de> serde::Deserialize<'de> for $message {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::api::json::read_unbounded(stringify!($message), deserializer)
            }
        }

        impl $crate::api::json::Json for $message {
            fn is_zero(&self) -> bool {
                *self == Self::default()
            }

            fn write<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(self, serializer)
            }

            fn read<'de, D: serde::Deserializer<'de>>(
                field: $crate::api::json::Field<'_>,
                deserializer: D,
            ) -> Result<Self, D::Error> {
                struct Visitor<'a>($crate::api::json::Field<'a>);

                impl<'de> serde::de::Visitor<'de> for Visitor<'_> {
                    type Value = $message;

                    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                        write!(f, "an object in `{}`", self.0)
                    }

                    $crate::api::json::refuse!(text truth integer fraction);

                    #[allow(unused_mut, unused_variables, reason = "some messages have no fields")]
                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<$message, A::Error> {
                        #[allow(dead_code, reason = "some messages have no fields")]
                        const NAMES: &[&str] = &[$($json),*];
                        let mut message = $message::default();
                        let mut seen = $crate::api::json::Seen::default();
                        while let Some(name) = map.next_key::<$crate::api::json::Name<'de>>()? {
                            match &*name.0 {
                                $($json => {
                                    let index = const { $crate::api::json::position(NAMES, $json) };
                                    let field = self.0.named($json);
                                    if let Some(value) = seen.value(&mut map, index, field)? {
                                        message.$($field).+ = value;
                                    }
                                })*
                                _ => {
                                    map.next_value::<serde::de::IgnoredAny>()?;
                                }
                            }
                        }
                        Ok(message)
                    }
                }

                deserializer.deserialize_any(Visitor(field))
            }

            fn emit(&self, out: &mut Vec<u8>) {
                out.push(b'{');
                $(if !$crate::api::json::Json::is_zero(&self.$($field).+) {
                    $crate::api::json::emit_name(concat!("\"", $json, "\":"), out);
                    $crate::api::json::Json::emit(&self.$($field).+, out);
                })*
                out.push(b'}');
            }

            #[allow(unused_mut, unused_variables, reason = "some messages have no fields")]
            fn scan(scan: &mut $crate::api::json::Scan<'_>) -> Option<Self> {
                #[allow(dead_code, reason = "some messages have no fields")]
                const NAMES: &[&str] = &[$($json),*];
                let mut message = Self::default();
                let mut seen = 0_u32;
                let mut more = scan.open()?;
                // Servers write members in the order in which they are declared here. So each is
                // looked for where it would be, which is one comparison with a constant.
                $(if more && scan.named(concat!("\"", $json, "\":")) {
                    seen |= const { 1_u32 << $crate::api::json::position(NAMES, $json) };
                    message.$($field).+ = $crate::api::json::Json::scan(scan)?;
                    more = scan.more()?;
                })*
                // What is left stands elsewhere.
                while more {
                    let name = scan.name()?;
                    let index = NAMES.iter().position(|known| known.as_bytes() == name)?;
                    if seen & (1 << index) != 0 {
                        return None;
                    }
                    seen |= 1 << index;
                    $(if index == const { $crate::api::json::position(NAMES, $json) } {
                        message.$($field).+ = $crate::api::json::Json::scan(scan)?;
                    })*
                    more = scan.more()?;
                }
                Some(message)
            }
        }

        impl $crate::api::json::sealed::Scanned for $message {
            fn scan_whole(json: &[u8]) -> Option<Self> {
                $crate::api::json::scan(json)
            }

            fn read_within<'de, D: serde::Deserializer<'de>>(
                budget: &$crate::api::json::Budget,
                deserializer: D,
            ) -> Result<Self, D::Error> {
                let field = $crate::api::json::Field::new(stringify!($message), budget);
                $crate::api::json::Json::read(field, deserializer)
            }
        }

        impl $crate::api::Message for $message {}
    };
}

/// Gives an enum of messages the form of a oneof: an object with exactly one known member.
macro_rules! one_of {
    ($one:ident { $($variant:ident => $json:literal),* $(,)? }) => {
        impl serde::Serialize for $one {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(Some(1))?;
                match self {
                    $(Self::$variant(value) => {
                        serde::ser::SerializeMap::serialize_entry(&mut map, $json, value)?;
                    })*
                }
                serde::ser::SerializeMap::end(map)
            }
        }

        impl<'de> serde::Deserialize<'de> for $one {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::api::json::read_unbounded(stringify!($one), deserializer)
            }
        }

        impl $crate::api::json::Json for $one {
            fn is_zero(&self) -> bool {
                false
            }

            fn write<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(self, serializer)
            }

            fn read<'de, D: serde::Deserializer<'de>>(
                field: $crate::api::json::Field<'_>,
                deserializer: D,
            ) -> Result<Self, D::Error> {
                struct Visitor<'a>($crate::api::json::Field<'a>);

                impl<'de> serde::de::Visitor<'de> for Visitor<'_> {
                    type Value = $one;

                    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                        write!(f, "an object with one known member in `{}`", self.0)
                    }

                    $crate::api::json::refuse!(text truth integer fraction);

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<$one, A::Error> {
                        const NAMES: &[&str] = &[$($json),*];
                        let mut found = None;
                        let mut seen = $crate::api::json::Seen::default();
                        while let Some(name) = map.next_key::<$crate::api::json::Name<'de>>()? {
                            let member = match &*name.0 {
                                $($json => {
                                    let index = const { $crate::api::json::position(NAMES, $json) };
                                    let field = self.0.named($json);
                                    seen.value(&mut map, index, field)?.map($one::$variant)
                                })*
                                _ => {
                                    map.next_value::<serde::de::IgnoredAny>()?;
                                    None
                                }
                            };
                            if member.is_some() && found.is_some() {
                                return Err(serde::de::Error::custom(format_args!(
                                    "more than one member in `{}`",
                                    self.0
                                )));
                            }
                            found = found.or(member);
                        }
                        found.ok_or_else(|| {
                            serde::de::Error::custom(format_args!(
                                "no known member in `{}`",
                                self.0
                            ))
                        })
                    }
                }

                deserializer.deserialize_any(Visitor(field))
            }

            fn emit(&self, out: &mut Vec<u8>) {
                out.push(b'{');
                match self {
                    $(Self::$variant(value) => {
                        $crate::api::json::emit_name(concat!("\"", $json, "\":"), out);
                        $crate::api::json::Json::emit(value, out);
                    })*
                }
                out.push(b'}');
            }

            fn scan(scan: &mut $crate::api::json::Scan<'_>) -> Option<Self> {
                if !scan.open()? {
                    return None;
                }
                let found = match scan.name()? {
                    $(name if name == $json.as_bytes() => {
                        Self::$variant($crate::api::json::Json::scan(scan)?)
                    })*
                    _ => return None,
                };
                (!scan.more()?).then_some(found)
            }
        }
    };
}

/// Gives an enum its form: names out, names or numbers in. Its zero is its default.
macro_rules! names {
    ($name:ident { $($variant:ident => $json:literal = $number:literal),* $(,)? }) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(match self {
                    $(Self::$variant => $json,)*
                })
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::api::json::read_unbounded(stringify!($name), deserializer)
            }
        }

        impl $crate::api::json::Json for $name {
            fn is_zero(&self) -> bool {
                *self == Self::default()
            }

            fn write<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(self, serializer)
            }

            fn read<'de, D: serde::Deserializer<'de>>(
                field: $crate::api::json::Field<'_>,
                deserializer: D,
            ) -> Result<Self, D::Error> {
                const VALUES: &[($name, &str, u64)] = &[$(($name::$variant, $json, $number)),*];
                $crate::api::json::read_name(field, deserializer, VALUES)
            }

            fn emit(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(match self {
                    $(Self::$variant => concat!("\"", $json, "\"").as_bytes(),)*
                });
            }

            fn scan(scan: &mut $crate::api::json::Scan<'_>) -> Option<Self> {
                match scan.text()? {
                    $($json => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use message;
pub(crate) use names;
pub(crate) use one_of;
