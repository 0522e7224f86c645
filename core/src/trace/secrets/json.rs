//! Replaces what is secret in JSON that comes in any pieces.
//!
//! It follows strings, names and objects, and no more: a text that is no JSON is let pass as far as
//! it is none. Whether a `value` is secret depends on the `key` before it in the same object; where
//! there is none, and there are prefixes at all, it is taken for secret. Nothing is kept of strings
//! but as much of a name or a key as has to be compared.
//!
//! Escapes inside of tokens and base64, which no etcd sends, stay escapes of one character; padding that
//! is escaped is not known as such.

use base64_simd::STANDARD;

use super::Secrets;

/// The longest name that is looked for has 14 letters.
const NAME_BYTES: usize = 16;

/// Objects inside of each other that are told apart; the client reads no deeper ones.
const DEEPEST: usize = 256;

/// One JSON text after the other, in pieces.
#[derive(Debug, Default)]
pub(in crate::trace) struct JsonMask {
    /// For each open object whether its values are secret.
    objects: Vec<Values>,
    /// Objects open beyond the deepest.
    deeper: usize,
    /// The member whose value comes.
    member: Member,
    /// Whether a colon came, so that a value does.
    is_value: bool,
    /// The string we are in.
    string: Option<Role>,
    escape: Escape,
    /// The beginning of the name or key we are in.
    kept: Vec<u8>,
    /// Whether more came than is kept.
    is_longer: bool,
    /// Of base64: how many letters came of a group of four, and what the last of them stands for.
    sextets: u8,
    last_sextet: u8,
}

/// What is known of the values in one object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Values {
    /// No key yet.
    #[default]
    Unknown,
    Plain,
    Secret,
}

/// A name that means something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Member {
    #[default]
    Other,
    Password,
    HashedPassword,
    Token,
    Blob,
    Key,
    Name,
    Value,
}

/// What the string is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A name, or an element of a list.
    Name,
    /// A key or the name of an election, to be compared.
    Key(Member),
    Plain,
    Text,
    Token,
    Base64,
}

/// Inside of an escape: what is read of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    No,
    Begun,
    Hex {
        digits: u8,
        value: u32,
    },
}

impl JsonMask {
    /// Replaces in place what is secret in the next piece.
    pub(in crate::trace) fn mask(&mut self, bytes: &mut [u8], secrets: &Secrets) {
        for byte in bytes {
            match self.string {
                None => self.outside(*byte, secrets),
                Some(role) => *byte = self.inside(*byte, role, secrets),
            }
        }
    }

    fn outside(&mut self, byte: u8, secrets: &Secrets) {
        match byte {
            b'"' => self.string = Some(self.begin_string(secrets)),
            b':' => self.is_value = true,
            b'{' => {
                self.is_value = false;
                match self.objects.len() < DEEPEST {
                    true => self.objects.push(Values::Unknown),
                    false => self.deeper = self.deeper.saturating_add(1),
                }
            }
            b'}' => {
                self.is_value = false;
                match self.deeper {
                    0 => drop(self.objects.pop()),
                    _ => self.deeper -= 1,
                }
            }
            b',' | b'[' | b']' => self.is_value = false,
            _ => {}
        }
    }

    fn begin_string(&mut self, secrets: &Secrets) -> Role {
        self.kept.clear();
        self.is_longer = false;
        (self.sextets, self.last_sextet) = (0, 0);
        if !self.is_value {
            return Role::Name;
        }
        match self.member {
            Member::Password => Role::Text,
            Member::Token => Role::Token,
            Member::Blob | Member::HashedPassword => Role::Base64,
            Member::Key | Member::Name if !secrets.prefixes.is_empty() => Role::Key(self.member),
            Member::Value if !secrets.prefixes.is_empty() && self.values() != Values::Plain => {
                Role::Base64
            }
            _ => Role::Plain,
        }
    }

    /// What is known of the values in the object we are in.
    fn values(&self) -> Values {
        match (self.deeper, self.objects.last()) {
            (0, Some(values)) => *values,
            _ => Values::Unknown,
        }
    }

    fn inside(&mut self, byte: u8, role: Role, secrets: &Secrets) -> u8 {
        let before = self.escape;
        match self.escape {
            Escape::No if byte == b'"' => {
                self.string = None;
                self.end_string(role, secrets);
                return byte;
            }
            Escape::No if byte == b'\\' => self.escape = Escape::Begun,
            Escape::No => self.keep(byte, role, secrets),
            Escape::Begun if byte == b'u' => {
                self.escape = Escape::Hex {
                    digits: 0,
                    value: 0,
                }
            }
            Escape::Begun => {
                self.escape = Escape::No;
                // Of those with a meaning of their own none stands in a name or in base64.
                self.keep(byte, role, secrets);
            }
            Escape::Hex { digits, value } => {
                let digit = char::from(byte).to_digit(16).unwrap_or(0);
                let value = value << 4 | digit;
                self.escape = match digits {
                    3 => Escape::No,
                    _ => Escape::Hex {
                        digits: digits + 1,
                        value,
                    },
                };
                if digits == 3 {
                    self.keep(u8::try_from(value).unwrap_or(0xff), role, secrets);
                }
            }
        }
        self.replaced(byte, role, before)
    }

    /// What stands for a byte of a string. What is no text of its kind stays none, so that whoever
    /// reads it refuses it in the replay as well.
    fn replaced(&mut self, byte: u8, role: Role, before: Escape) -> u8 {
        let letter = match role {
            Role::Name | Role::Key(_) | Role::Plain => return byte,
            // Only we send these, and they are what they should be.
            Role::Text if byte.is_ascii_control() => return byte,
            Role::Text => return b'x',
            Role::Token => b"0078",
            Role::Base64 => b"0041",
        };
        match (before, role) {
            (Escape::Hex { digits, .. }, _) if byte.is_ascii_hexdigit() => {
                letter[usize::from(digits)]
            }
            (Escape::Hex { .. } | Escape::Begun, _) => byte,
            (Escape::No, _) if byte == b'\\' || byte.is_ascii_control() || byte >= 0x80 => byte,
            (Escape::No, Role::Token) => match byte {
                b'.' | b' ' => byte,
                _ => b'x',
            },
            (Escape::No, _) => match sextet(byte) {
                Some(value) => {
                    self.last_sextet = value;
                    self.sextets = (self.sextets + 1) % 4;
                    b'A'
                }
                // The bits that padding leaves over have to be zeros.
                None if byte == b'=' => match (self.sextets, self.last_sextet) {
                    (2, last) if last & 15 != 0 => b'!',
                    (3, last) if last & 3 != 0 => b'!',
                    _ => byte,
                },
                None => b'!',
            },
        }
    }

    /// Keeps as much of a name or a key as is compared.
    fn keep(&mut self, byte: u8, role: Role, secrets: &Secrets) {
        let most = match role {
            Role::Name => NAME_BYTES,
            // In base64, with four more letters to tell that there is more.
            Role::Key(_) => secrets
                .longest
                .div_ceil(3)
                .saturating_mul(4)
                .saturating_add(4),
            _ => return,
        };
        match self.kept.len() < most {
            true => self.kept.push(byte),
            false => self.is_longer = true,
        }
    }

    fn end_string(&mut self, role: Role, secrets: &Secrets) {
        match role {
            Role::Name => {
                self.member = match &self.kept[..] {
                    _ if self.is_longer => Member::Other,
                    b"password" => Member::Password,
                    b"hashedPassword" => Member::HashedPassword,
                    b"token" => Member::Token,
                    b"blob" => Member::Blob,
                    b"key" => Member::Key,
                    b"name" => Member::Name,
                    b"value" => Member::Value,
                    _ => Member::Other,
                };
            }
            Role::Key(member) => {
                // Of a longer one groups of four are kept, which can be read by themselves.
                let key = STANDARD.decode_to_vec(&self.kept).ok();
                let is_secret = key.is_none_or(|key| match member {
                    Member::Name => secrets.has_name(&key),
                    _ => secrets.has_key(&key),
                });
                if let Some(values) = self.objects.last_mut().filter(|_| self.deeper == 0) {
                    *values = match is_secret || *values == Values::Secret {
                        true => Values::Secret,
                        false => Values::Plain,
                    };
                }
            }
            _ => {}
        }
        self.kept.clear();
    }
}

/// What a letter of base64 stands for.
const fn sextet(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        let prefixes = vec!["/s/".into(), "/other-secrets/".into()];
        Secrets::new(prefixes, Vec::new())
    }

    /// In one piece, byte by byte, and once more.
    #[track_caller]
    fn check(secrets: &Secrets, text: &str, wanted: &str) {
        let mut whole = text.as_bytes().to_vec();
        secrets.mask_json(&mut whole);
        assert_eq!(String::from_utf8_lossy(&whole), wanted);
        let mut pieces = text.as_bytes().to_vec();
        let mut mask = JsonMask::default();
        for byte in pieces.chunks_mut(1) {
            mask.mask(byte, secrets);
        }
        assert_eq!(pieces, whole);
        secrets.mask_json(&mut pieces);
        assert_eq!(pieces, whole, "twice is once");
    }

    #[test]
    fn passwords_and_tokens_are_crossed_out() {
        let secrets = Secrets::default();
        for (text, wanted) in [
            (
                r#"{"name":"root","password":"a\"b\\c\u0041é"}"#,
                r#"{"name":"root","password":"xxxxxxxxxxxxxxx"}"#,
            ),
            (
                r#"{"token":"abc.7","p\u0061ssword":"x1","tokens":"t"}"#,
                r#"{"token":"xxx.x","p\u0061ssword":"xx","tokens":"t"}"#,
            ),
            (r#"{"token":"a bé\u0041\n"}"#, r#"{"token":"x xé\u0078\n"}"#),
            // What is no base64 stays none.
            (
                r#"{"blob":"Zm9v?","blob":"Zh==","blob":"Zm9=","blob":"Zg==","blob":"Z\/\u0042\u00g0"}"#,
                r#"{"blob":"AAAA!","blob":"AA!!","blob":"AAA!","blob":"AA==","blob":"A\/\u0041\u00g1"}"#,
            ),
            (
                r#"{"a":["password","b"],"password":7,"c":"password"}"#,
                r#"{"a":["password","b"],"password":7,"c":"password"}"#,
            ),
            (
                r#"{"remaining_bytes":"7","blob":"Zm9vYg=="}"#,
                r#"{"remaining_bytes":"7","blob":"AAAAAA=="}"#,
            ),
            (
                r#"{"key":"L3MvYQ==","value":"Zm9v"}"#,
                r#"{"key":"L3MvYQ==","value":"Zm9v"}"#,
            ),
        ] {
            check(&secrets, text, wanted);
        }
    }

    #[test]
    fn values_are_replaced_by_the_key_beside_them() {
        let secrets = secrets();
        for (text, wanted) in [
            // "/s/a", "/s/" and "/t/" and "/s".
            (
                r#"{"kvs":[{"key":"L3MvYQ==","version":"1","value":"Zm9v"},{"key":"L3Qv","value":"YmFy"}]}"#,
                r#"{"kvs":[{"key":"L3MvYQ==","version":"1","value":"AAAA"},{"key":"L3Qv","value":"YmFy"}]}"#,
            ),
            (
                r#"{"key":"L3Mv","value":"Zm8="}{"key":"L3M=","value":"Zm8="}"#,
                r#"{"key":"L3Mv","value":"AAA="}{"key":"L3M=","value":"Zm8="}"#,
            ),
            // A long key, and an escaped one.
            (
                r#"{"key":"L290aGVyLXNlY3JldHMvZGVlcC9kb3duL2luL3RoZS90cmVl","value":"Zm8="}"#,
                r#"{"key":"L290aGVyLXNlY3JldHMvZGVlcC9kb3duL2luL3RoZS90cmVl","value":"AAA="}"#,
            ),
            (
                r#"{"k\u0065y":"L3M\u0076","value":"Zm8="}"#,
                r#"{"k\u0065y":"L3M\u0076","value":"AAA="}"#,
            ),
            // No key, and no key yet.
            (
                r#"{"leader":{"key":"L3Qv"},"value":"Zm8="}"#,
                r#"{"leader":{"key":"L3Qv"},"value":"AAA="}"#,
            ),
            (
                r#"{"value":"Zm8=","key":"L3Qv"}"#,
                r#"{"value":"AAA=","key":"L3Qv"}"#,
            ),
            // The name of an election: "/s" makes the key "/s/…", "/t" does not.
            (
                r#"{"name":"L3M=","lease":"7","value":"Zm8="}"#,
                r#"{"name":"L3M=","lease":"7","value":"AAA="}"#,
            ),
            (
                r#"{"name":"L3Q=","lease":"7","value":"Zm8="}"#,
                r#"{"name":"L3Q=","lease":"7","value":"Zm8="}"#,
            ),
            // What is no base64 cannot be compared.
            (
                r#"{"key":"!","key":"L3Qv","value":"Zm8="}"#,
                r#"{"key":"!","key":"L3Qv","value":"AAA="}"#,
            ),
            (
                r#"{"key":"L3QvYQ","value":"Zm8="}"#,
                r#"{"key":"L3QvYQ","value":"AAA="}"#,
            ),
            (
                r#"{"key":"!!!!","value":"Zm8="}"#,
                r#"{"key":"!!!!","value":"AAA="}"#,
            ),
        ] {
            check(&secrets, text, wanted);
        }
    }

    #[test]
    fn what_is_no_json_passes_and_depth_costs_nothing() {
        let secrets = secrets();
        check(
            &secrets,
            "404 page not found: it's \"here",
            "404 page not found: it's \"here",
        );
        check(&secrets, "}}]],,::\"\\", "}}]],,::\"\\");
        let mut mask = JsonMask::default();
        let mut deep = br#"{"key":{"#.repeat(100_000);
        mask.mask(&mut deep, &secrets);
        assert!(mask.objects.len() <= DEEPEST && mask.kept.capacity() <= 1024);
        let mut more = br#""key":"L3Qv","value":"Zm8=""#.to_vec();
        mask.mask(&mut more, &secrets);
        assert!(more.ends_with(br#""AAA=""#), "so deep nothing is known");
    }
}
