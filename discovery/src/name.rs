//! The names that are asked for, and what a domain or a service name may be.
//!
//! Names of services begin with an underscore (RFC 2782), those of domains may have one in any place. What is
//! checked is that a name fits into a question: characters and lengths. It is not known whether it exists.

use std::net::IpAddr;

use crate::error::DiscoveryError;

/// The domain without a dot at its end.
pub(crate) fn parse_domain(text: &str) -> Result<String, DiscoveryError> {
    let bad = |reason| DiscoveryError::BadDomain {
        domain: text.to_owned(),
        reason,
    };
    let domain = text.strip_suffix('.').unwrap_or(text);
    if domain.is_empty() {
        return Err(bad("it is empty"));
    }
    if !domain.is_ascii() {
        return Err(bad("it is not ASCII; such a domain has a form with xn--"));
    }
    if domain.parse::<IpAddr>().is_ok() {
        return Err(bad("it is an address"));
    }
    if !domain
        .split('.')
        .all(|label| (1..=63).contains(&label.len()))
    {
        return Err(bad("a label has to have 1 to 63 characters"));
    }
    if !domain.split('.').all(is_plain) {
        return Err(bad("it has characters that no domain has"));
    }
    if query_name(TLS, None, domain).len() > NAME_LEN {
        return Err(bad("it is too long"));
    }
    Ok(domain.to_owned())
}

/// The service name, or none where it is empty, as etcdctl has it.
pub(crate) fn parse_service_name(
    text: &str,
    domain: &str,
) -> Result<Option<String>, DiscoveryError> {
    let bad = |reason| DiscoveryError::BadServiceName {
        name: text.to_owned(),
        reason,
    };
    if text.is_empty() {
        return Ok(None);
    }
    if !is_plain(text) {
        return Err(bad("it has characters other than letters, digits, - and _"));
    }
    if TLS.len() + 1 + text.len() > LABEL_LEN {
        return Err(bad("it is longer than 46 characters"));
    }
    if query_name(TLS, Some(text), domain).len() > NAME_LEN {
        return Err(bad("it is too long together with the domain"));
    }
    Ok(Some(text.to_owned()))
}

/// The name whose SRV records are asked for, absolute but without a dot at its end.
pub(crate) fn query_name(service: &str, service_name: Option<&str>, domain: &str) -> String {
    match service_name {
        None => format!("{service}._tcp.{domain}"),
        Some(name) => format!("{service}-{name}._tcp.{domain}"),
    }
}

/// The service of servers that speak TLS.
pub(crate) const TLS: &str = "_etcd-client-ssl";

/// The service of servers that do not.
pub(crate) const PLAIN: &str = "_etcd-client";

/// How many characters a label may have (RFC 1035 section 2.3.4).
const LABEL_LEN: usize = 63;

/// How many characters a name may have: of the 255 bytes of RFC 1035 section 2.3.4 one is for the length of
/// the first label and one for the root.
const NAME_LEN: usize = 253;

fn is_plain(label: &str) -> bool {
    label
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_may_end_with_a_dot_and_has_nothing_but_labels() {
        assert_eq!(parse_domain("example.com.").unwrap(), "example.com");
        assert_eq!(parse_domain("a_b.Xn--x-1").unwrap(), "a_b.Xn--x-1");
        for (text, reason) in [
            ("", "empty"),
            (".", "empty"),
            ("a..b", "label"),
            (".a", "label"),
            ("a..", "label"),
            ("a b", "characters"),
            ("a\n", "characters"),
            ("a/b", "characters"),
            ("a:53", "characters"),
            ("*.a", "characters"),
            ("bücher.example", "xn--"),
            ("10.0.0.1", "address"),
            ("::1", "address"),
            (&"a".repeat(64), "label"),
            (&["a"; 120].join("."), "long"),
        ] {
            let error = parse_domain(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
        assert!(parse_domain(&"a".repeat(63)).is_ok());
    }

    #[test]
    fn names_are_taken_up_to_what_a_question_has_room_for() {
        let domain = |len: usize| {
            let text = "a.".repeat(len / 2) + &"b".repeat(len % 2);
            parse_domain(text.trim_end_matches('.'))
        };
        let room = NAME_LEN - "_etcd-client-ssl._tcp.".len();
        assert_eq!(domain(room).unwrap().len(), room);
        assert!(domain(room + 2).is_err());
        let full = domain(room).unwrap();
        let error = parse_service_name("a", &full).unwrap_err().to_string();
        assert!(error.contains("together"), "{error}");
    }

    #[test]
    fn a_service_name_has_to_fit_into_one_label() {
        let parse = |text: &str| parse_service_name(text, "example.com");
        assert_eq!(parse("").unwrap(), None);
        assert_eq!(
            parse(&"a".repeat(46)).unwrap().map(|name| name.len()),
            Some(46)
        );
        for text in [&"a".repeat(47), "a.b", "a b", "ä"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
