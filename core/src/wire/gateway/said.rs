//! What a frame of a stream says, and the texts in which servers put errors.
//!
//! Both are read without keeping what is passed over, and no error quotes what it stumbles over.

use core::fmt;
use core::marker::PhantomData;

use serde::Deserialize;
use serde::Deserializer;
use serde::de;

use crate::api::Message;
use crate::api::json::Budget;
use crate::api::json::Field;
use crate::api::json::Name;
use crate::api::json::Seen;
use crate::api::json::refuse;

/// A frame: `{"result":…}` or `{"error":…}`.
pub(super) struct Said<T> {
    pub(super) result: Option<T>,
    pub(super) error: Option<ErrorText>,
}

impl<T: Message> Said<T> {
    /// Reads a frame, and the lists of its result within a budget.
    pub(super) fn read<'de, D: Deserializer<'de>>(
        budget: &Budget,
        deserializer: D,
    ) -> Result<Self, D::Error> {
        struct Visitor<'a, T>(&'a Budget, PhantomData<T>);

        impl<'de, T: Message> de::Visitor<'de> for Visitor<'_, T> {
            type Value = Said<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a frame")
            }

            refuse!(text truth integer fraction);

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Said<T>, A::Error> {
                let (mut result, mut error) = (None, None);
                while let Some(name) = map.next_key::<Name<'de>>()? {
                    match &*name.0 {
                        "result" if result.is_some() => {
                            return Err(de::Error::duplicate_field("result"));
                        }
                        "result" => {
                            result = Some(map.next_value_seed(Perhaps(self.0, PhantomData))?);
                        }
                        "error" if error.is_some() => {
                            return Err(de::Error::duplicate_field("error"));
                        }
                        "error" => error = Some(map.next_value::<Option<ErrorText>>()?),
                        _ => {
                            map.next_value::<de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(Said {
                    result: result.flatten(),
                    error: error.flatten(),
                })
            }
        }

        deserializer.deserialize_any(Visitor(budget, PhantomData))
    }
}

/// A message, or `null`.
struct Perhaps<'a, T>(&'a Budget, PhantomData<T>);

impl<'de, T: Message> de::DeserializeSeed<'de> for Perhaps<'_, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, T: Message> de::Visitor<'de> for Perhaps<'_, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message or null in `result`")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_none<E: de::Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        T::read_within(self.0, deserializer).map(Some)
    }
}

/// An error as servers write it: a text, or an object with the text in it.
pub(super) enum ErrorText {
    Text(String),
    Fields(ErrorFields),
}

/// The fields in which servers put an error. `error` is a text in unary bodies of v1, and the error
/// itself in a stream's.
#[derive(Default)]
pub(super) struct ErrorFields {
    pub(super) code: Option<i32>,
    pub(super) grpc_code: Option<i32>,
    /// What v1 servers say the HTTP status would be.
    pub(super) http_code: Option<u16>,
    pub(super) message: Option<String>,
    pub(super) error: Option<Box<ErrorText>>,
}

impl<'de> Deserialize<'de> for ErrorText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = ErrorText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or an object in `error`")
            }

            refuse!(truth integer fraction);

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ErrorText, E> {
                Ok(ErrorText::Text(text.to_owned()))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<ErrorText, A::Error> {
                ErrorFields::read(map).map(ErrorText::Fields)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl ErrorFields {
    fn read<'de, A: de::MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        // None of them is a list.
        let budget = Budget::unbounded();
        let mut fields = Self::default();
        let mut seen = Seen::default();
        while let Some(name) = map.next_key::<Name<'de>>()? {
            match &*name.0 {
                "code" => fields.code = number(&mut seen, &mut map, 0, "code")?,
                "grpc_code" => fields.grpc_code = number(&mut seen, &mut map, 1, "grpc_code")?,
                "http_code" => fields.http_code = number(&mut seen, &mut map, 2, "http_code")?,
                "message" => {
                    fields.message = seen.value(&mut map, 3, Field::new("message", &budget))?;
                }
                "error" if fields.error.is_some() => {
                    return Err(de::Error::duplicate_field("error"));
                }
                "error" => fields.error = map.next_value()?,
                _ => {
                    map.next_value::<de::IgnoredAny>()?;
                }
            }
        }
        Ok(fields)
    }
}

fn number<'de, N: TryFrom<i64>, A: de::MapAccess<'de>>(
    seen: &mut Seen,
    map: &mut A,
    index: usize,
    name: &'static str,
) -> Result<Option<N>, A::Error> {
    let budget = Budget::unbounded();
    let number: Option<i64> = seen.value(map, index, Field::new(name, &budget))?;
    let outside = |_| de::Error::custom(format_args!("integer out of range in `{name}`"));
    number.map(N::try_from).transpose().map_err(outside)
}
