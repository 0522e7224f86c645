//! Alarms: what keeps a cluster from taking writes until somebody has looked.
//!
//! Numbers outside etcd's own, sent in a request, end the server's process (gateway.md 3.3). So a
//! request has types that have no others, while an answer has a type that takes whatever comes.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::ResponseHeader;
use super::call::call;
use super::json::{Field, Json, message, names, read_unbounded, refuse};

/// Lists, raises or ends alarms.
///
/// ```
/// use etcd_core::{AlarmRequest, AlarmType};
///
/// let json = serde_json::to_string(&AlarmRequest::deactivate(7, AlarmType::NoSpace))?;
/// assert_eq!(json, r#"{"action":"DEACTIVATE","memberID":"7","alarm":"NOSPACE"}"#);
/// assert_eq!(serde_json::to_string(&AlarmRequest::list())?, "{}");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlarmRequest {
    /// What to do.
    pub action: AlarmAction,
    /// Whose alarm. It has to be exactly the one of the list: another one ends nothing, and the
    /// answer does not say so (gateway.md 11).
    pub member_id: u64,
    /// Which alarm.
    pub alarm: AlarmType,
}

message!(AlarmRequest {
    "action" => action,
    "memberID" => member_id,
    "alarm" => alarm,
});

call!(AlarmRequest => Alarm(AlarmResponse) {
    fn is_read(&self) -> bool {
        self.action == AlarmAction::Get
    }
});

impl AlarmRequest {
    /// Lists the alarms of all members.
    ///
    /// ```
    /// use etcd_core::{AlarmRequest, Call};
    ///
    /// assert!(AlarmRequest::list().is_read());
    /// ```
    #[must_use]
    pub const fn list() -> Self {
        Self {
            action: AlarmAction::Get,
            member_id: 0,
            alarm: AlarmType::None,
        }
    }

    /// Raises an alarm by hand.
    ///
    /// ```
    /// use etcd_core::{AlarmRequest, AlarmType};
    ///
    /// assert_eq!(AlarmRequest::activate(7, AlarmType::NoSpace).member_id, 7);
    /// ```
    #[must_use]
    pub const fn activate(member_id: u64, alarm: AlarmType) -> Self {
        Self {
            action: AlarmAction::Activate,
            member_id,
            alarm,
        }
    }

    /// Ends an alarm of the list, once its cause is gone.
    ///
    /// ```
    /// use etcd_core::{AlarmRequest, AlarmType};
    ///
    /// assert_eq!(AlarmRequest::deactivate(7, AlarmType::Corrupt).alarm, AlarmType::Corrupt);
    /// ```
    #[must_use]
    pub const fn deactivate(member_id: u64, alarm: AlarmType) -> Self {
        Self {
            action: AlarmAction::Deactivate,
            member_id,
            alarm,
        }
    }
}

/// What to do with alarms.
///
/// ```
/// use etcd_core::AlarmAction;
///
/// assert_eq!(AlarmAction::default(), AlarmAction::Get);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AlarmAction {
    /// List them.
    #[default]
    Get,
    /// Raise one.
    Activate,
    /// End one.
    Deactivate,
}

names!(AlarmAction {
    Get => "GET" = 0,
    Activate => "ACTIVATE" = 1,
    Deactivate => "DEACTIVATE" = 2,
});

/// An alarm that etcd knows.
///
/// ```
/// use etcd_core::AlarmType;
///
/// assert_eq!(AlarmType::default(), AlarmType::None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AlarmType {
    /// None, or any.
    #[default]
    None,
    /// A member's database has no room left. Compact, defragment, then end the alarm.
    NoSpace,
    /// A member's data differ from the others'.
    Corrupt,
}

names!(AlarmType {
    None => "NONE" = 0,
    NoSpace => "NOSPACE" = 1,
    Corrupt => "CORRUPT" = 2,
});

/// The answer to [`AlarmRequest`].
///
/// ```
/// use etcd_core::{AlarmResponse, AlarmType};
///
/// let json = r#"{"alarms":[{"memberID":"7","alarm":"NOSPACE"},{"memberID":"7","alarm":9}]}"#;
/// let answer: AlarmResponse = serde_json::from_str(json)?;
/// assert_eq!(answer.alarms[0].alarm.known(), Some(AlarmType::NoSpace));
/// assert_eq!(answer.alarms[1].alarm.known(), None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlarmResponse {
    /// Who answered. Servers of 3.4 leave it empty.
    pub header: ResponseHeader,
    /// The alarms listed, raised or ended.
    pub alarms: Vec<AlarmMember>,
}

message!(AlarmResponse {
    "header" => header,
    "alarms" => alarms,
});

/// An alarm of a member.
///
/// ```
/// let alarm: etcd_core::AlarmMember = serde_json::from_str(r#"{"memberID":"7","alarm":9}"#)?;
/// assert_eq!(alarm.member_id, 7);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlarmMember {
    /// The member.
    pub member_id: u64,
    /// The alarm.
    pub alarm: RaisedAlarm,
}

message!(AlarmMember {
    "memberID" => member_id,
    "alarm" => alarm,
});

impl AlarmMember {
    /// The request that ends it. Nothing for one that this client does not know, since no request
    /// may name it.
    ///
    /// ```
    /// let alarm: etcd_core::AlarmMember = serde_json::from_str(r#"{"memberID":"7","alarm":1}"#)?;
    /// assert_eq!(alarm.deactivate().map(|request| request.member_id), Some(7));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub const fn deactivate(&self) -> Option<AlarmRequest> {
        match self.alarm.known() {
            Some(alarm) => Some(AlarmRequest::deactivate(self.member_id, alarm)),
            None => None,
        }
    }
}

/// An alarm that some server raised, perhaps one that this client does not know.
///
/// ```
/// use etcd_core::{AlarmType, RaisedAlarm};
///
/// let alarm: RaisedAlarm = serde_json::from_str("2")?;
/// assert_eq!(alarm, RaisedAlarm::Known(AlarmType::Corrupt));
/// assert_eq!(serde_json::from_str::<RaisedAlarm>("9")?, RaisedAlarm::Number(9));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RaisedAlarm {
    /// One of etcd's.
    Known(AlarmType),
    /// One for which the server has no name.
    Number(i64),
    /// One of a newer server.
    Name(String),
}

impl RaisedAlarm {
    /// The alarm, if it is one of etcd's that a request can name.
    ///
    /// ```
    /// assert_eq!(etcd_core::RaisedAlarm::Number(9).known(), None);
    /// ```
    #[must_use]
    pub const fn known(&self) -> Option<AlarmType> {
        match self {
            Self::Known(alarm) => Some(*alarm),
            Self::Number(_) | Self::Name(_) => None,
        }
    }
}

impl Default for RaisedAlarm {
    fn default() -> Self {
        Self::Known(AlarmType::None)
    }
}

impl From<AlarmType> for RaisedAlarm {
    fn from(alarm: AlarmType) -> Self {
        Self::Known(alarm)
    }
}

impl Serialize for RaisedAlarm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(alarm) => alarm.serialize(serializer),
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Name(name) => serializer.serialize_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for RaisedAlarm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_unbounded("alarm", deserializer)
    }
}

impl Json for RaisedAlarm {
    fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(
        field: Field<'_>,
        deserializer: D,
    ) -> Result<Self, D::Error> {
        struct Visitor<'a>(Field<'a>);

        impl de::Visitor<'_> for Visitor<'_> {
            refuse!(truth fraction);

            type Value = RaisedAlarm;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "an alarm's name or number in `{}`", self.0)
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<RaisedAlarm, E> {
                Ok(match name {
                    "NONE" => AlarmType::None.into(),
                    "NOSPACE" => AlarmType::NoSpace.into(),
                    "CORRUPT" => AlarmType::Corrupt.into(),
                    name => RaisedAlarm::Name(name.to_owned()),
                })
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<RaisedAlarm, E> {
                Ok(match number {
                    0 => AlarmType::None.into(),
                    1 => AlarmType::NoSpace.into(),
                    2 => AlarmType::Corrupt.into(),
                    number => RaisedAlarm::Number(number),
                })
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<RaisedAlarm, E> {
                let number = i64::try_from(number)
                    .map_err(|_| E::custom(format_args!("integer out of range in `{}`", self.0)))?;
                self.visit_i64(number)
            }
        }

        deserializer.deserialize_any(Visitor(field))
    }
}
