//! What may be given as a key or a value.

use bytes::Bytes;

/// Something that is a key or a value: text, bytes, or an array of bytes.
///
/// What is owned is taken over without a copy; what is borrowed is copied once.
///
/// ```
/// use etcd_core::IntoBytes;
///
/// assert_eq!("key".into_bytes(), b"key".into_bytes());
/// assert_eq!(vec![0xff].into_bytes(), [0xff].into_bytes());
/// ```
pub trait IntoBytes {
    /// The bytes themselves.
    ///
    /// ```
    /// use etcd_core::IntoBytes;
    ///
    /// assert_eq!(&String::from("key").into_bytes()[..], b"key");
    /// assert_eq!(&IntoBytes::into_bytes("key")[..], b"key");
    /// ```
    fn into_bytes(self) -> Bytes;
}

impl IntoBytes for &str {
    fn into_bytes(self) -> Bytes {
        Bytes::copy_from_slice(self.as_bytes())
    }
}

impl IntoBytes for String {
    fn into_bytes(self) -> Bytes {
        Bytes::from(self)
    }
}

impl IntoBytes for &String {
    fn into_bytes(self) -> Bytes {
        self.as_str().into_bytes()
    }
}

impl IntoBytes for &[u8] {
    fn into_bytes(self) -> Bytes {
        Bytes::copy_from_slice(self)
    }
}

impl<const N: usize> IntoBytes for [u8; N] {
    fn into_bytes(self) -> Bytes {
        Bytes::copy_from_slice(&self)
    }
}

impl<const N: usize> IntoBytes for &[u8; N] {
    fn into_bytes(self) -> Bytes {
        Bytes::copy_from_slice(self)
    }
}

impl IntoBytes for Vec<u8> {
    fn into_bytes(self) -> Bytes {
        Bytes::from(self)
    }
}

impl IntoBytes for &Vec<u8> {
    fn into_bytes(self) -> Bytes {
        Bytes::copy_from_slice(self)
    }
}

impl IntoBytes for Bytes {
    fn into_bytes(self) -> Bytes {
        self
    }
}

/// Shares the allocation.
impl IntoBytes for &Bytes {
    fn into_bytes(self) -> Bytes {
        self.clone()
    }
}
