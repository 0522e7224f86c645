//! Values as text, as JSON, or in a form of one's own.
//!
//! etcd stores bytes. [`ValueCodec`] is how a program's values become bytes and come back;
//! [`Text`], [`Json`] and [`Raw`] are the usual ones. Errors never quote what was stored: they say
//! how long it is and where it went wrong.

use core::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, DeserializeOwned};
use serde::ser::Serialize;

use super::{IntoBytes, KeyValue, Put};

/// How values of type `T` are stored. Implement it for a form of your own.
///
/// ```
/// use etcd_core::bytes::Bytes;
/// use etcd_core::{KeyValue, Put, ValueCodec, ValueError};
///
/// /// A number in four bytes.
/// struct BigEndian;
///
/// impl ValueCodec<u32> for BigEndian {
///     fn encode(&self, value: &u32) -> Result<Bytes, ValueError> {
///         Ok(Bytes::copy_from_slice(&value.to_be_bytes()))
///     }
///
///     fn decode(&self, value: &Bytes) -> Result<u32, ValueError> {
///         let bytes = value[..].try_into();
///         bytes.map(u32::from_be_bytes).map_err(|_| ValueError::Other("not four bytes"))
///     }
/// }
///
/// let put = Put::encoded("k", &BigEndian, &7)?;
/// let mut kv = KeyValue::default();
/// kv.value = put.value;
/// assert_eq!(kv.decode(&BigEndian)?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait ValueCodec<T> {
    /// The bytes to store.
    ///
    /// ```
    /// use etcd_core::{Json, ValueCodec};
    ///
    /// assert_eq!(&Json.encode(&[1, 2])?[..], b"[1,2]");
    /// # Ok::<(), etcd_core::ValueError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the value has no such form.
    fn encode(&self, value: &T) -> Result<Bytes, ValueError>;

    /// The value that was stored.
    ///
    /// ```
    /// use etcd_core::{Text, ValueCodec};
    ///
    /// assert_eq!(Text.decode(&"text".into())?, "text");
    /// # Ok::<(), etcd_core::ValueError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the bytes are not of that form.
    fn decode(&self, value: &Bytes) -> Result<T, ValueError>;
}

/// Values as they are.
///
/// ```
/// use etcd_core::bytes::Bytes;
/// use etcd_core::{Raw, ValueCodec};
///
/// assert_eq!(Raw.encode(&Bytes::from_static(b"\xff"))?, &b"\xff"[..]);
/// # Ok::<(), etcd_core::ValueError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it has nothing, and is its own maker"
)]
pub struct Raw;

impl ValueCodec<Bytes> for Raw {
    fn encode(&self, value: &Bytes) -> Result<Bytes, ValueError> {
        Ok(value.clone())
    }

    fn decode(&self, value: &Bytes) -> Result<Bytes, ValueError> {
        Ok(value.clone())
    }
}

/// Values as UTF-8.
///
/// ```
/// use etcd_core::{Text, ValueCodec, ValueError};
///
/// let error = Text.decode(&b"ab\xff"[..].into()).unwrap_err();
/// assert_eq!(error, ValueError::NotText { offset: 2 });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it has nothing, and is its own maker"
)]
pub struct Text;

impl ValueCodec<String> for Text {
    fn encode(&self, value: &String) -> Result<Bytes, ValueError> {
        Ok(value.into_bytes())
    }

    fn decode(&self, value: &Bytes) -> Result<String, ValueError> {
        text(value).map(str::to_owned)
    }
}

/// Values as JSON, by serde.
///
/// ```
/// use etcd_core::{Json, ValueCodec};
///
/// let list: Vec<u8> = Json.decode(&"[1,2]".into())?;
/// assert_eq!(list, [1, 2]);
/// # Ok::<(), etcd_core::ValueError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it has nothing, and is its own maker"
)]
pub struct Json;

impl<T: Serialize + DeserializeOwned> ValueCodec<T> for Json {
    fn encode(&self, value: &T) -> Result<Bytes, ValueError> {
        to_json(value)
    }

    fn decode(&self, value: &Bytes) -> Result<T, ValueError> {
        from_json(value)
    }
}

fn text(value: &[u8]) -> Result<&str, ValueError> {
    core::str::from_utf8(value).map_err(|error| ValueError::NotText {
        offset: error.valid_up_to(),
    })
}

fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, ValueError> {
    // serde's text may quote the value.
    let json = serde_json::to_vec(value).map_err(|_| ValueError::NoJsonForm)?;
    Ok(json.into())
}

fn from_json<'a, T: Deserialize<'a>>(value: &'a [u8]) -> Result<T, ValueError> {
    // serde's text may quote the value, so only its kind and its place are kept.
    serde_json::from_slice(value).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        if error.is_data() {
            ValueError::WrongJson { line, column }
        } else {
            ValueError::NotJson { line, column }
        }
    })
}

/// Values in a form.
impl KeyValue {
    /// The value as text.
    ///
    /// ```
    /// let mut kv = etcd_core::KeyValue::default();
    /// kv.value = "text".into();
    /// assert_eq!(kv.text()?, "text");
    /// # Ok::<(), etcd_core::DecodeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the value is not UTF-8.
    pub fn text(&self) -> Result<&str, DecodeError> {
        text(&self.value).map_err(|error| self.error(error))
    }

    /// The value as JSON. What `T` borrows, it borrows from the value.
    ///
    /// ```
    /// let mut kv = etcd_core::KeyValue::default();
    /// kv.value = r#"{"port":80}"#.into();
    /// let ports = kv.json::<std::collections::BTreeMap<String, u16>>()?;
    /// assert_eq!(ports["port"], 80);
    /// # Ok::<(), etcd_core::DecodeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the value is not JSON, or not that of a `T`.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, DecodeError> {
        from_json(&self.value).map_err(|error| self.error(error))
    }

    /// The value in a form of one's own.
    ///
    /// ```
    /// use etcd_core::{KeyValue, Raw};
    ///
    /// assert!(KeyValue::default().decode(&Raw)?.is_empty());
    /// # Ok::<(), etcd_core::DecodeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the value does not have that form.
    pub fn decode<T>(&self, codec: &impl ValueCodec<T>) -> Result<T, DecodeError> {
        let decoded = codec.decode(&self.value);
        decoded.map_err(|error| self.error(error))
    }

    const fn error(&self, error: ValueError) -> DecodeError {
        DecodeError {
            key_len: self.key.len(),
            value_len: self.value.len(),
            error,
        }
    }
}

/// Values in a form.
impl Put {
    /// Puts a value as JSON at `key`.
    ///
    /// ```
    /// use etcd_core::Put;
    ///
    /// let put = Put::json("k", &["a", "b"])?.with_lease(7);
    /// assert_eq!(&put.value[..], br#"["a","b"]"#);
    /// # Ok::<(), etcd_core::ValueError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the value has no JSON form, as a map whose keys are not texts or numbers.
    pub fn json<T: Serialize + ?Sized>(key: impl IntoBytes, value: &T) -> Result<Self, ValueError> {
        Ok(Self::new(key, to_json(value)?))
    }

    /// Puts a value in a form of one's own at `key`.
    ///
    /// ```
    /// use etcd_core::{Put, Text};
    ///
    /// let put = Put::encoded("k", &Text, &"v".to_owned())?;
    /// assert_eq!(put, Put::new("k", "v"));
    /// # Ok::<(), etcd_core::ValueError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the value has no such form.
    pub fn encoded<T>(
        key: impl IntoBytes,
        codec: &impl ValueCodec<T>,
        value: &T,
    ) -> Result<Self, ValueError> {
        Ok(Self::new(key, codec.encode(value)?))
    }
}

/// What is wrong with a value, without the value.
///
/// ```
/// use etcd_core::ValueError;
///
/// let error = ValueError::NotText { offset: 2 };
/// assert_eq!(error.to_string(), "not UTF-8 from offset 2 on");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueError {
    /// It is not UTF-8.
    NotText {
        /// How many bytes of it are.
        offset: usize,
    },
    /// It is not JSON.
    NotJson {
        /// The line it is wrong in, counted from 1.
        line: usize,
        /// How far into that line, in bytes.
        column: usize,
    },
    /// It is JSON, but not of the type that was asked for.
    WrongJson {
        /// The line it is wrong in, counted from 1.
        line: usize,
        /// How far into that line, in bytes.
        column: usize,
    },
    /// It cannot be written as JSON: a map whose keys are not texts or numbers, or its own
    /// serializer failed.
    NoJsonForm,
    /// What a codec of somebody's own found.
    Other(&'static str),
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText { offset } => write!(f, "not UTF-8 from offset {offset} on"),
            Self::NotJson { line, column } => write!(f, "not JSON at line {line} column {column}"),
            Self::WrongJson { line, column } => write!(
                f,
                "JSON of another type than asked for, at line {line} column {column}"
            ),
            Self::NoJsonForm => f.write_str("cannot be written as JSON"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

impl core::error::Error for ValueError {}

/// A stored value that does not have the form it is read in.
///
/// ```
/// use etcd_core::{KeyValue, ValueError};
///
/// let mut kv = KeyValue::default();
/// (kv.key, kv.value) = ("secret".into(), "pass".into());
/// let error = kv.json::<u32>().unwrap_err();
/// assert_eq!(error.error, ValueError::NotJson { line: 1, column: 1 });
/// assert_eq!(
///     error.to_string(),
///     "value of 4 bytes at a key of 6 bytes: not JSON at line 1 column 1"
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeError {
    /// How long the key is, in bytes.
    pub key_len: usize,
    /// How long the value is, in bytes.
    pub value_len: usize,
    /// What is wrong with the value.
    pub error: ValueError,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "value of {} bytes at a key of {} bytes: {}",
            self.value_len, self.key_len, self.error
        )
    }
}

impl core::error::Error for DecodeError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn kv(value: &str) -> KeyValue {
        KeyValue {
            key: "secret-key".into(),
            value: value.to_owned().into(),
            ..KeyValue::default()
        }
    }

    #[test]
    fn what_is_encoded_is_what_is_decoded() {
        let map = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]);
        let put = Put::encoded("k", &Json, &map).unwrap();
        assert_eq!(put, Put::json("k", &map).unwrap());
        let stored = KeyValue {
            value: put.value,
            ..KeyValue::default()
        };
        assert_eq!(stored.decode(&Json), Ok(map));
        assert_eq!(stored.decode(&Text), stored.text().map(str::to_owned));
        assert_eq!(kv(r#""borrowed""#).json::<&str>(), Ok("borrowed"));
    }

    #[test]
    fn an_error_quotes_neither_key_nor_value() {
        for value in [
            r#""secret""#,
            "secret",
            r#"{"secret":1}"#,
            "[1",
            "",
            "1 secret",
        ] {
            let error = kv(value).json::<u32>().unwrap_err();
            assert_eq!((error.key_len, error.value_len), (10, value.len()));
            for text in [error.to_string(), format!("{error:?}")] {
                assert!(!text.contains("secret"), "{text}");
            }
        }
        let wrong = kv("\n  true").json::<u32>().unwrap_err().error;
        assert_eq!(wrong, ValueError::WrongJson { line: 2, column: 6 });
    }

    #[test]
    fn what_json_cannot_say_is_refused() {
        let map = BTreeMap::from([([1_u8, 2], 3)]);
        assert_eq!(Put::json("k", &map), Err(ValueError::NoJsonForm));
    }
}
