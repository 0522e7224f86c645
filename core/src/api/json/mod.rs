//! etcd's JSON as a serde form, the same in both directions.
//!
//! Every type of the wire has one form: 64-bit integers are decimal strings (numbers are read too),
//! bytes are padded base64, enums are names (numbers are read too), zero values are left out and
//! read back from nothing, `null` for a field is nothing, unknown fields are skipped, a field given
//! twice is refused. [`Json`] is that form; the macros of `shapes` build it for
//! structs, oneofs and enums.
//!
//! serde's own derive is not used because its errors quote the text they stumble over, and that
//! text may be somebody's key or value. The rule to keep: every visitor answers `visit_str` itself
//! and is given to `deserialize_any` (serde_json's other methods quote before they ask the
//! visitor), and every error names the field and no text.

mod budget;
mod emit;
mod scan;
mod shapes;

use core::fmt;
use core::marker::PhantomData;

use base64_simd::STANDARD;
use bytes::Bytes;
use serde::de;
use serde::ser;

use crate::error::JsonError;

pub(crate) use budget::Budget;
use emit::emit_integer;
pub(crate) use emit::{emit_name, to_vec};
pub(crate) use scan::{DEEPEST, Scan, scan};
pub(crate) use shapes::{Name, Seen, message, names, one_of, position, read_name};

/// The field that is read: its name, for error texts, and what the lists of its message may take.
#[derive(Clone, Copy)]
pub(crate) struct Field<'a> {
    name: &'static str,
    budget: &'a Budget,
}

impl<'a> Field<'a> {
    pub(crate) const fn new(name: &'static str, budget: &'a Budget) -> Self {
        Self { name, budget }
    }

    /// A field inside.
    pub(crate) const fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The form of one field's value.
pub(crate) trait Json: Sized {
    /// Whether the field is left out when writing. What is left out reads as the default.
    fn is_zero(&self) -> bool;

    fn write<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    /// Reads a value that is not `null`.
    fn read<'de, D: de::Deserializer<'de>>(
        field: Field<'_>,
        deserializer: D,
    ) -> Result<Self, D::Error>;

    /// Appends the text that `write` would have serde_json write: the short way out, a property test
    /// holds the two together.
    fn emit(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(out, &Written(self))
            .expect("a Vec takes all, and all names are text");
    }

    /// Reads a plain value the short way, or gives up (see `scan`).
    fn scan(_scan: &mut Scan<'_>) -> Option<Self> {
        None
    }
}

/// Reads what its user deserializes, who decides what to give: no peer's bytes, so without a budget.
pub(crate) fn read_unbounded<'de, T: Json, D: de::Deserializer<'de>>(
    name: &'static str,
    deserializer: D,
) -> Result<T, D::Error> {
    T::read(Field::new(name, &Budget::unbounded()), deserializer)
}

/// A message of etcd's API: one of the crate's own types, in etcd's JSON, or a `serde_json::Value` for
/// what this crate has no type for.
///
/// What a message's lists take in memory is bounded by 8 times its text and 64 KiB. That of a
/// `serde_json::Value` is not: it can take some 100 times its text, so bound its frames by
/// [`JsonLimits::frame_bytes`](crate::codec::json::JsonLimits).
///
/// ```
/// use etcd_core::WatchResponse;
/// use etcd_core::gateway::Frames;
///
/// // What a stream is read as is a message.
/// let frames = Frames::<WatchResponse>::new(200, Default::default());
/// # let _ = frames;
/// ```
pub trait Message: de::DeserializeOwned + sealed::Scanned {}

pub(crate) mod sealed {
    /// Keeps [`Message`](super::Message) to the types of this crate.
    #[expect(unnameable_types, reason = "nobody else is to implement it")]
    pub trait Scanned: Sized {
        /// Reads a whole text the short way, or gives up.
        fn scan_whole(json: &[u8]) -> Option<Self>;

        /// Reads a value through serde, with what its lists may take.
        fn read_within<'de, D: serde::de::Deserializer<'de>>(
            budget: &super::Budget,
            deserializer: D,
        ) -> Result<Self, D::Error>;
    }
}

impl sealed::Scanned for serde_json::Value {
    fn scan_whole(_json: &[u8]) -> Option<Self> {
        None
    }

    fn read_within<'de, D: de::Deserializer<'de>>(
        _: &Budget,
        deserializer: D,
    ) -> Result<Self, D::Error> {
        de::Deserialize::deserialize(deserializer)
    }
}

impl Message for serde_json::Value {}

/// Reads a message that a peer sent.
pub(crate) fn from_slice<T: Message>(json: &[u8]) -> Result<T, JsonError> {
    match T::scan_whole(json) {
        Some(message) => Ok(message),
        None => read_slice(json),
    }
}

/// As [`from_slice`], where the short way has given up.
pub(crate) fn read_slice<T: Message>(json: &[u8]) -> Result<T, JsonError> {
    read_slice_as(json, |budget, deserializer| {
        T::read_within(budget, deserializer)
    })
}

/// Reads a text that a peer sent in this way, as a whole.
pub(crate) fn read_slice_as<'de, T>(
    json: &'de [u8],
    read: impl FnOnce(
        &Budget,
        &mut serde_json::Deserializer<serde_json::de::SliceRead<'de>>,
    ) -> Result<T, serde_json::Error>,
) -> Result<T, JsonError> {
    // serde_json looks into the texts it skips only for their end.
    if let Err(error) = core::str::from_utf8(json) {
        let at = error.valid_up_to();
        return Err(JsonError::UnexpectedByte {
            offset: u64::try_from(at).unwrap_or(u64::MAX),
            byte: json.get(at).copied().unwrap_or_default(),
        });
    }
    let budget = Budget::of_text(json.len());
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    read(&budget, &mut deserializer)
        .and_then(|message| deserializer.end().map(|()| message))
        .map_err(|error| {
            let passed = budget.error();
            passed.unwrap_or_else(|| JsonError::from_serde(json, &error))
        })
}

/// The characters of the longest integers: the least `i64`, with its sign, and the largest `u64`.
pub(crate) const LONGEST_INTEGER: usize = 20;

macro_rules! integer {
    ($($int:ty),*) => {$(
        impl Json for $int {
            fn is_zero(&self) -> bool {
                *self == 0
            }

            fn write<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }

            fn read<'de, D: de::Deserializer<'de>>(
                field: Field<'_>,
                deserializer: D,
            ) -> Result<Self, D::Error> {
                struct Visitor<'a>(Field<'a>);

                impl de::Visitor<'_> for Visitor<'_> {
                    type Value = $int;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(f, "an integer of 64 bits in `{}`", self.0)
                    }

                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<$int, E> {
                        <$int>::try_from(number).map_err(|_| out_of_range(self.0))
                    }

                    fn visit_u64<E: de::Error>(self, number: u64) -> Result<$int, E> {
                        <$int>::try_from(number).map_err(|_| out_of_range(self.0))
                    }

                    refuse!(truth fraction);

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$int, E> {
                        let digits = text.strip_prefix('-').unwrap_or(text);
                        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                            return Err(E::invalid_value(de::Unexpected::Other("text"), &self));
                        }
                        if text.len() > LONGEST_INTEGER {
                            return Err(out_of_range(self.0));
                        }
                        text.parse().map_err(|_| out_of_range(self.0))
                    }
                }

                deserializer.deserialize_any(Visitor(field))
            }

            #[allow(unused_comparisons, reason = "one of the types has no sign")]
            fn emit(&self, out: &mut Vec<u8>) {
                // The size of the least i64 is an i64's only in wrapping.
                let size = if *self < 0 { self.wrapping_neg() } else { *self };
                emit_integer(*self < 0, size as u64, out);
            }

            fn scan(scan: &mut Scan<'_>) -> Option<Self> {
                let (negative, size) = scan.integer()?;
                match negative {
                    false => <$int>::try_from(size).ok(),
                    true if <$int>::MIN == 0 => None,
                    true => <$int>::try_from(0_i64.checked_sub_unsigned(size)?).ok(),
                }
            }
        }
    )*};
}

integer!(i64, u64);

/// Unlike integers of 64 bits, those of 32 are numbers in JSON.
impl Json for u32 {
    fn is_zero(&self) -> bool {
        *self == 0
    }

    fn write<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(*self)
    }

    fn read<'de, D: de::Deserializer<'de>>(
        field: Field<'_>,
        deserializer: D,
    ) -> Result<Self, D::Error> {
        let number = u64::read(field, deserializer)?;
        Self::try_from(number).map_err(|_| out_of_range(field))
    }
}

fn out_of_range<E: de::Error>(field: Field<'_>) -> E {
    E::custom(format_args!("integer out of range in `{field}`"))
}

impl Json for bool {
    fn is_zero(&self) -> bool {
        !*self
    }

    fn write<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(*self)
    }

    fn read<'de, D: de::Deserializer<'de>>(
        field: Field<'_>,
        deserializer: D,
    ) -> Result<Self, D::Error> {
        struct Visitor<'a>(Field<'a>);

        impl de::Visitor<'_> for Visitor<'_> {
            type Value = bool;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "true or false in `{}`", self.0)
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<bool, E> {
                Ok(value)
            }

            refuse!(text integer fraction);
        }

        deserializer.deserialize_any(Visitor(field))
    }

    fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
    }

    fn scan(scan: &mut Scan<'_>) -> Option<Self> {
        scan.truth()
    }
}

/// The error for a value where none of its kind belongs, without the value.
pub(crate) fn unexpected<E: de::Error>(kind: &'static str, expected: &dyn de::Expected) -> E {
    E::invalid_type(de::Unexpected::Other(kind), expected)
}

/// A visitor's methods that refuse values of these kinds. serde's own would quote the value.
macro_rules! refuse {
    ($($kind:ident)*) => {
        $($crate::api::json::refuse!(@$kind);)*
    };
    (@text) => {
        fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Self::Value, E> {
            Err($crate::api::json::unexpected("text", &self))
        }
    };
    (@truth) => {
        fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Self::Value, E> {
            Err($crate::api::json::unexpected("true or false", &self))
        }
    };
    (@integer) => {
        fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Self::Value, E> {
            Err($crate::api::json::unexpected("integer", &self))
        }

        fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Self::Value, E> {
            Err($crate::api::json::unexpected("integer", &self))
        }
    };
    (@fraction) => {
        fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Self::Value, E> {
            Err($crate::api::json::unexpected("number that is no integer", &self))
        }
    };
}

pub(crate) use refuse;

impl Json for String {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn write<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }

    fn read<'de, D: de::Deserializer<'de>>(
        field: Field<'_>,
        deserializer: D,
    ) -> Result<Self, D::Error> {
        struct Visitor<'a>(Field<'a>);

        impl de::Visitor<'_> for Visitor<'_> {
            type Value = String;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "text in `{}`", self.0)
            }

            refuse!(truth integer fraction);

            fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
                Ok(text.to_owned())
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<String, E> {
                Ok(text)
            }
        }

        deserializer.deserialize_any(Visitor(field))
    }

    fn scan(scan: &mut Scan<'_>) -> Option<Self> {
        scan.text().map(str::to_owned)
    }
}

impl Json for Bytes {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn write<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode_to_string(self))
    }

    fn read<'de, D: de::Deserializer<'de>>(
        field: Field<'_>,
        deserializer: D,
    ) -> Result<Self, D::Error> {
        struct Visitor<'a>(Field<'a>);

        impl de::Visitor<'_> for Visitor<'_> {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "padded base64 in `{}`", self.0)
            }

            refuse!(truth integer fraction);

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
                let Ok(bytes) = STANDARD.decode_to_vec(text) else {
                    return Err(E::invalid_value(de::Unexpected::Other("text"), &self));
                };
                Ok(bytes.into())
            }
        }

        deserializer.deserialize_any(Visitor(field))
    }

    fn emit(&self, out: &mut Vec<u8>) {
        // With room for what comes after, or that would make a large request move once more.
        let len = STANDARD.encoded_length(self.len());
        out.reserve(len.saturating_add(128));
        out.push(b'"');
        STANDARD.encode_append(self, out);
        out.push(b'"');
    }

    fn scan(scan: &mut Scan<'_>) -> Option<Self> {
        scan.bytes()
    }
}

/// A field whose zero is told apart from its absence: what is there is written.
impl<T: Json> Json for Option<T> {
    fn is_zero(&self) -> bool {
        self.is_none()
    }

    fn write<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(value) => value.write(serializer),
            None => serializer.serialize_none(),
        }
    }

    fn read<'de, D: de::Deserializer<'de>>(
        field: Field<'_>,
        deserializer: D,
    ) -> Result<Self, D::Error> {
        T::read(field, deserializer).map(Some)
    }

    fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.emit(out),
            None => out.extend_from_slice(b"null"),
        }
    }

    fn scan(scan: &mut Scan<'_>) -> Option<Self> {
        T::scan(scan).map(Some)
    }
}

impl<T: Json> Json for Vec<T> {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn write<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Written))
    }

    fn read<'de, D: de::Deserializer<'de>>(
        field: Field<'_>,
        deserializer: D,
    ) -> Result<Self, D::Error> {
        struct Visitor<'a, T>(Field<'a>, PhantomData<T>);

        impl<'de, T: Json> de::Visitor<'de> for Visitor<'_, T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list in `{}`", self.0)
            }

            refuse!(text truth integer fraction);

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = seq.next_element_seed(Value::new(self.0))? {
                    if !self.0.budget.push(&mut list, item) {
                        let text = "more elements than its text can honestly have";
                        return Err(de::Error::custom(format_args!("{text}, in `{}`", self.0)));
                    }
                }
                Ok(list)
            }
        }

        deserializer.deserialize_any(Visitor(field, PhantomData))
    }

    fn emit(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (index, item) in self.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            item.emit(out);
        }
        out.push(b']');
    }

    fn scan(scan: &mut Scan<'_>) -> Option<Self> {
        scan.list()
    }
}

/// A value on its way out, for serde's methods that take `Serialize`.
pub(crate) struct Written<'a, T>(pub(crate) &'a T);

impl<T: Json> ser::Serialize for Written<'_, T> {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write(serializer)
    }
}

/// A value on its way in that may not be `null`.
struct Value<'a, T>(Field<'a>, PhantomData<T>);

impl<'a, T> Value<'a, T> {
    const fn new(field: Field<'a>) -> Self {
        Self(field, PhantomData)
    }
}

impl<'de, T: Json> de::DeserializeSeed<'de> for Value<'_, T> {
    type Value = T;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::read(self.0, deserializer)
    }
}

/// A value on its way in for which `null` means that it is absent.
struct Nullable<'a, T>(Value<'a, T>);

impl<'de, T: Json> de::DeserializeSeed<'de> for Nullable<'_, T> {
    type Value = Option<T>;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, T: Json> de::Visitor<'de> for Nullable<'_, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value or null in `{}`", self.0.0)
    }

    refuse!(text truth integer fraction);

    fn visit_none<E: de::Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        de::DeserializeSeed::deserialize(self.0, deserializer).map(Some)
    }
}
