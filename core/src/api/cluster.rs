//! The members of a cluster: who they are, and changing that.

use super::ResponseHeader;
use super::call::call;
use super::json::message;
use crate::error::Misuse;

/// A member of a cluster.
///
/// ```
/// let json = r#"{"ID":"7","name":"a","peerURLs":["http://10.0.0.7:2380"],"isLearner":true}"#;
/// let member: etcd_core::Member = serde_json::from_str(json)?;
/// assert!(member.is_learner && member.client_urls.is_empty());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// Its id.
    pub id: u64,
    /// Its name, empty until it was started for the first time.
    pub name: String,
    /// Where its peers find it.
    pub peer_urls: Vec<String>,
    /// Where clients find it, empty until it was started for the first time.
    pub client_urls: Vec<String>,
    /// Whether it only listens and has no vote.
    pub is_learner: bool,
}

message!(Member {
    "ID" => id,
    "name" => name,
    "peerURLs" => peer_urls,
    "clientURLs" => client_urls,
    "isLearner" => is_learner,
});

/// Adds a member, which has to be started afterwards.
///
/// Servers were seen to drop a change of members that comes right after another one, and not to answer
/// (3.4.23, 3.5.1): it ends at its deadline. A linearizable read between the two prevents that.
///
/// ```
/// use etcd_core::MemberAdd;
///
/// let json = serde_json::to_string(&MemberAdd::new(["http://10.0.0.7:2380"]).with_learner())?;
/// assert_eq!(json, r#"{"peerURLs":["http://10.0.0.7:2380"],"isLearner":true}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberAdd {
    /// Where its peers will find it: scheme, host and port.
    pub peer_urls: Vec<String>,
    /// Whether it begins as a learner, without a vote.
    pub is_learner: bool,
}

message!(MemberAdd {
    "peerURLs" => peer_urls,
    "isLearner" => is_learner,
});

call!(MemberAdd => MemberAdd(MemberAddResponse) {
    fn is_read(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Misuse> {
        check_urls(&self.peer_urls)
    }
});

impl MemberAdd {
    /// Adds a voting member whose peers find it there.
    ///
    /// ```
    /// assert!(!etcd_core::MemberAdd::new(["http://10.0.0.7:2380"]).is_learner);
    /// ```
    #[must_use]
    pub fn new(peer_urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            peer_urls: peer_urls.into_iter().map(Into::into).collect(),
            is_learner: false,
        }
    }

    /// Begins as a learner, which gets all data and has no vote until [`MemberPromote`].
    ///
    /// ```
    /// assert!(etcd_core::MemberAdd::new(["http://a:2380"]).with_learner().is_learner);
    /// ```
    #[must_use]
    pub const fn with_learner(mut self) -> Self {
        self.is_learner = true;
        self
    }
}

/// The answer to [`MemberAdd`].
///
/// ```
/// let answer: etcd_core::MemberAddResponse = serde_json::from_str(r#"{"member":{"ID":"7"}}"#)?;
/// assert_eq!(answer.member.id, 7);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberAddResponse {
    /// Who answered.
    pub header: ResponseHeader,
    /// The new member.
    pub member: Member,
    /// All members, the new one included.
    pub members: Vec<Member>,
}

message!(MemberAddResponse {
    "header" => header,
    "member" => member,
    "members" => members,
});

/// Answers that list the members there are now.
macro_rules! members_answer {
    ($($response:ident to $request:ident),* $(,)?) => {$(
        #[doc = concat!("The answer to [`", stringify!($request), "`].\n\n```\n",
            "let json = r#\"{\"members\":[{\"ID\":\"7\"}]}\"#;\n",
            "let answer: etcd_core::", stringify!($response), " = serde_json::from_str(json)?;\n",
            "assert_eq!(answer.members[0].id, 7);\n# Ok::<(), serde_json::Error>(())\n```")]
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $response {
            /// Who answered.
            pub header: ResponseHeader,
            /// All members there are now.
            pub members: Vec<Member>,
        }

        message!($response {
            "header" => header,
            "members" => members,
        });
    )*};
}

members_answer! {
    MemberRemoveResponse to MemberRemove,
    MemberUpdateResponse to MemberUpdate,
    MemberPromoteResponse to MemberPromote,
    MemberListResponse to MemberList,
}

/// Removes a member; its server ends.
///
/// ```
/// let json = serde_json::to_string(&etcd_core::MemberRemove::new(7))?;
/// assert_eq!(json, r#"{"ID":"7"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberRemove {
    /// The member.
    pub id: u64,
}

message!(MemberRemove {
    "ID" => id,
});

call!(MemberRemove => MemberRemove(MemberRemoveResponse) {
    fn is_read(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Misuse> {
        check_member(self.id)
    }
});

impl MemberRemove {
    /// Removes the member `id`.
    ///
    /// ```
    /// assert_eq!(etcd_core::MemberRemove::new(7).id, 7);
    /// ```
    #[must_use]
    pub const fn new(id: u64) -> Self {
        Self { id }
    }
}

/// Changes where a member's peers find it.
///
/// ```
/// let json = serde_json::to_string(&etcd_core::MemberUpdate::new(7, ["http://a:2380"]))?;
/// assert_eq!(json, r#"{"ID":"7","peerURLs":["http://a:2380"]}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberUpdate {
    /// The member.
    pub id: u64,
    /// Where its peers find it from now on: scheme, host and port.
    pub peer_urls: Vec<String>,
}

message!(MemberUpdate {
    "ID" => id,
    "peerURLs" => peer_urls,
});

call!(MemberUpdate => MemberUpdate(MemberUpdateResponse) {
    fn is_read(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Misuse> {
        check_member(self.id)?;
        check_urls(&self.peer_urls)
    }
});

impl MemberUpdate {
    /// Has the peers of the member `id` find it there.
    ///
    /// ```
    /// assert_eq!(etcd_core::MemberUpdate::new(7, ["http://a:2380"]).peer_urls.len(), 1);
    /// ```
    #[must_use]
    pub fn new(id: u64, peer_urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            id,
            peer_urls: peer_urls.into_iter().map(Into::into).collect(),
        }
    }
}

/// Makes a learner that has caught up a voting member.
///
/// ```
/// let json = serde_json::to_string(&etcd_core::MemberPromote::new(7))?;
/// assert_eq!(json, r#"{"ID":"7"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberPromote {
    /// The learner.
    pub id: u64,
}

message!(MemberPromote {
    "ID" => id,
});

call!(MemberPromote => MemberPromote(MemberPromoteResponse) {
    fn is_read(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Misuse> {
        check_member(self.id)
    }
});

impl MemberPromote {
    /// Promotes the learner `id`.
    ///
    /// ```
    /// assert_eq!(etcd_core::MemberPromote::new(7).id, 7);
    /// ```
    #[must_use]
    pub const fn new(id: u64) -> Self {
        Self { id }
    }
}

/// Lists the members.
///
/// ```
/// let json = serde_json::to_string(&etcd_core::MemberList::new())?;
/// assert_eq!(json, r#"{"linearizable":true}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberList {
    /// Whether the answer has to have every change that was acknowledged before. That needs a
    /// quorum.
    pub linearizable: bool,
}

message!(MemberList {
    "linearizable" => linearizable,
});

call!(MemberList => MemberList(MemberListResponse) {
    fn is_read(&self) -> bool {
        true
    }
});

impl MemberList {
    /// Lists the members with every change that was acknowledged before. That needs a quorum. Servers
    /// of 3.4 answer from what they have all the same (gateway.md 11).
    ///
    /// ```
    /// assert!(etcd_core::MemberList::new().linearizable);
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { linearizable: true }
    }

    /// Answers from what the asked server has, perhaps behind the others. That needs no quorum.
    ///
    /// ```
    /// use etcd_core::MemberList;
    ///
    /// assert_eq!(MemberList::new().with_serializable(), MemberList::default());
    /// ```
    #[must_use]
    pub const fn with_serializable(mut self) -> Self {
        self.linearizable = false;
        self
    }
}

/// No member has the id 0.
pub(super) const fn check_member(id: u64) -> Result<(), Misuse> {
    if id == 0 {
        return Err(Misuse::NoMemberId);
    }
    Ok(())
}

/// What etcd asks of the URLs of peers, and refuses as `given member URLs are invalid`.
fn check_urls(urls: &[String]) -> Result<(), Misuse> {
    if urls.is_empty() {
        return Err(Misuse::NoPeerUrls);
    }
    match urls.iter().position(|url| !is_peer_url(url.trim())) {
        Some(place) => Err(Misuse::BadPeerUrl { place }),
        None => Ok(()),
    }
}

fn is_peer_url(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    if scheme.eq_ignore_ascii_case("unix") || scheme.eq_ignore_ascii_case("unixs") {
        return true;
    }
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return false;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let port = match host.rsplit_once(']') {
        Some((_, port)) => port.strip_prefix(':'),
        None => match host.split_once(':') {
            // More than one colon is an IPv6 address without brackets.
            Some((_, port)) if port.contains(':') => None,
            found => found.map(|(_, port)| port),
        },
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    port.is_some_and(is_port) && !path.starts_with('/')
}
