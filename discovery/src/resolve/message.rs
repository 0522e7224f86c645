//! A question and its answer as bytes (RFC 1035 section 4). Bytes in, values out: no sockets, no time.
//!
//! The `domain` crate reads and writes; here is decided what is an answer to what was asked, and what it
//! says. Answers may be anybody's: nothing in them panics, and what reading one costs is bounded by its
//! length, which is bounded itself.

use domain::base::Message;
use domain::base::MessageBuilder;
use domain::base::Name;
use domain::base::ParsedName;
use domain::base::Rtype;
use domain::base::iana::Class;
use domain::base::iana::Opcode;
use domain::base::iana::Rcode;
use domain::base::name::ToName;
use domain::dep::octseq::Array;
use domain::rdata;

use crate::error::LookupError;
use crate::srv::Srv;

/// What is asked, and with it what can be an answer.
pub(super) struct Question {
    id: u16,
    name: Name<Array<255>>,
    bytes: Array<512>,
}

impl Question {
    /// The question for the SRV records of a name.
    pub(super) fn new(id: u16, name: &str) -> Result<Self, LookupError> {
        // The names of a discovery are checked, so this does not happen.
        let unaskable = |_| LookupError::Malformed;
        let name: Name<Array<255>> = Name::from_chars(name.chars()).map_err(|_| unaskable(()))?;
        let mut message = MessageBuilder::from_target(Array::new()).map_err(|_| unaskable(()))?;
        message.header_mut().set_id(id);
        message.header_mut().set_rd(true);
        let mut question = message.question();
        question
            .push((&name, Rtype::SRV, Class::IN))
            .map_err(|_| unaskable(()))?;
        let bytes = question.finish();
        Ok(Self { id, name, bytes })
    }

    /// The question as it is sent in a datagram.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// What these bytes say about the question.
    pub(super) fn read(&self, bytes: &[u8]) -> Reading {
        let Ok(message) = Message::from_slice(bytes) else {
            return Reading::NotOurs;
        };
        if !self.is_answered_by(message) {
            return Reading::NotOurs;
        }
        if bytes.len() > ANSWER_BYTES {
            return Reading::Answer(Err(LookupError::TooLong));
        }
        match message.header().rcode() {
            Rcode::NOERROR if message.header().tc() => Reading::Truncated,
            Rcode::NOERROR => Reading::Answer(self.records(message)),
            Rcode::NXDOMAIN => Reading::Answer(Err(LookupError::NotFound)),
            other => Reading::Answer(Err(LookupError::Refused {
                code: other.to_int(),
            })),
        }
    }

    fn is_answered_by(&self, message: &Message<[u8]>) -> bool {
        let header = message.header();
        if !header.qr() || header.id() != self.id || header.opcode() != Opcode::QUERY {
            return false;
        }
        message.sole_question().is_ok_and(|question| {
            question.qname().name_eq(&self.name)
                && question.qtype() == Rtype::SRV
                && question.qclass() == Class::IN
        })
    }

    /// The records of the name, or of the one it is another name of.
    fn records(&self, message: &Message<[u8]>) -> Result<Vec<Srv>, LookupError> {
        let malformed = |_| LookupError::Malformed;
        let mut alias: Option<ParsedName<&[u8]>> = None;
        for _ in 0..=ALIASES {
            let is_owner = |owner: &ParsedName<&[u8]>| match &alias {
                Some(alias) => owner.name_eq(alias),
                None => owner.name_eq(&self.name),
            };
            let mut records = Vec::new();
            let answer = message.answer().map_err(malformed)?;
            for record in answer.limit_to_in::<rdata::Srv<_>>() {
                let record = record.map_err(malformed)?;
                if is_owner(record.owner()) {
                    records.push(srv(record.data()));
                }
            }
            if !records.is_empty() {
                return Ok(records);
            }
            let answer = message.answer().map_err(malformed)?;
            let mut next = None;
            for record in answer.limit_to_in::<rdata::Cname<_>>() {
                let record = record.map_err(malformed)?;
                if is_owner(record.owner()) {
                    next = Some(*record.data().cname());
                    break;
                }
            }
            match next {
                Some(next) => alias = Some(next),
                None => return Err(LookupError::NotFound),
            }
        }
        Err(LookupError::Malformed)
    }
}

fn srv(data: &rdata::Srv<ParsedName<&[u8]>>) -> Srv {
    let target = data.target();
    let target = if target.is_root() {
        ".".to_owned()
    } else {
        // What is no character of a host is escaped in this text, and refused for that later.
        target.to_string()
    };
    Srv::new(data.priority(), data.weight(), data.port(), target)
}

/// What was received, seen from a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// It answers something else, or nothing at all.
    NotOurs,
    /// It is an answer that did not fit.
    Truncated,
    /// It is the answer.
    Answer(Result<Vec<Srv>, LookupError>),
}

/// How long an answer may be. Some 200 servers with long names fit; and since names in it may point to
/// each other, reading takes up to the square of this, which has to stay small.
pub(super) const ANSWER_BYTES: usize = 16 * 1024;

/// How many other names in a row are followed, as many as resolvers do.
const ALIASES: usize = 8;

#[cfg(test)]
mod tests {
    use std::time::Duration;
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "_etcd-client-ssl._tcp.example.com";
    const ID: u16 = 0x1234;

    fn question() -> Question {
        Question::new(ID, NAME).unwrap()
    }

    /// An answer to it with these bytes as its answer section.
    fn answer(count: u16, section: &[u8]) -> Vec<u8> {
        let mut bytes = question().bytes().to_vec();
        (bytes[2], bytes[3]) = (0x81, 0x80);
        bytes[6..8].copy_from_slice(&count.to_be_bytes());
        bytes.extend(section);
        bytes
    }

    /// A record of the name in the question, or of the one this points to.
    fn record(owner: u16, kind: u16, data: &[u8]) -> Vec<u8> {
        let mut bytes = (owner | 0xc000).to_be_bytes().to_vec();
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 60]);
        bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        bytes.extend(data);
        bytes
    }

    fn srv_record() -> Vec<u8> {
        record(12, 33, b"\0\x01\0\x02\x09\x4b\x01a\x07example\x03com\0")
    }

    #[test]
    fn a_question_is_written_as_rfc_1035_has_it() {
        let expected = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\
            \x10_etcd-client-ssl\x04_tcp\x07example\x03com\0\0\x21\0\x01";
        assert_eq!(question().bytes(), expected);
    }

    #[test]
    fn the_longest_name_has_room() {
        let name = [
            "a".repeat(63),
            "b".repeat(63),
            "c".repeat(63),
            "d".repeat(61),
        ]
        .join(".");
        assert_eq!(name.len(), 253);
        assert_eq!(Question::new(1, &name).unwrap().bytes().len(), 12 + 255 + 4);
    }

    #[test]
    fn a_target_is_read_with_what_is_no_host_escaped() {
        let read = |target: &[u8]| {
            let data = [b"\0\x01\0\x02\x09\x4b".as_slice(), target].concat();
            question().read(&answer(1, &record(12, 33, &data)))
        };
        for (target, text) in [
            (b"\x01a\x07example\x03com\0".as_slice(), "a.example.com"),
            (b"\x01a\xc0\x22", "a.example.com"),
            (b"\0", "."),
            (b"\x03a.b\0", "a\\.b"),
            (b"\x03a\x00b\0", "a\\000b"),
            (b"\x03a\xffb\0", "a\\255b"),
        ] {
            let expected = Ok(vec![Srv::new(1, 2, 2379, text)]);
            assert_eq!(read(target), Reading::Answer(expected));
        }
        for target in [b"".as_slice(), b"\x05a\0", b"\x40a\0", b"\0\0", b"\xc0\xff"] {
            let malformed = Reading::Answer(Err(LookupError::Malformed));
            assert_eq!(read(target), malformed, "{target:?}");
        }
    }

    #[test]
    fn an_answer_that_is_cut_anywhere_gives_no_records() {
        let whole = answer(2, &[srv_record(), srv_record()].concat());
        assert!(
            matches!(question().read(&whole), Reading::Answer(Ok(records)) if records.len() == 2)
        );
        for len in 0..whole.len() {
            let reading = question().read(&whole[..len]);
            assert!(!matches!(reading, Reading::Answer(Ok(_))), "{len}");
        }
    }

    #[test]
    fn what_stands_behind_an_answer_does_not_matter() {
        let mut bytes = answer(1, &srv_record());
        let expected = question().read(&bytes);
        bytes.extend([0xff; 100]);
        assert_eq!(question().read(&bytes), expected);
    }

    #[test]
    fn eight_names_in_a_row_are_followed_and_not_nine() {
        let chain = |links: u16| {
            let start = u16::try_from(question().bytes().len()).unwrap();
            let (mut section, mut owner) = (Vec::new(), 12);
            for link in 0..links {
                let target = [1, b'a' + u8::try_from(link).unwrap(), 0];
                let at = start + u16::try_from(section.len()).unwrap() + 12;
                section.extend(record(owner, 5, &target));
                owner = at;
            }
            section.extend(record(owner, 33, b"\0\0\0\0\x09\x4b\x01a\0"));
            question().read(&answer(links + 1, &section))
        };
        assert!(matches!(chain(0), Reading::Answer(Ok(_))));
        assert!(matches!(chain(8), Reading::Answer(Ok(_))));
        assert_eq!(chain(9), Reading::Answer(Err(LookupError::Malformed)));
    }

    #[test]
    fn names_that_point_through_all_of_an_answer_are_read_in_bounded_time() {
        let start = question().bytes().len();
        // Half of the room is a chain of pointers, each to the one before it, in a record of a type that
        // nobody reads; the other half is records whose names lead through all of it.
        let mut chain = vec![0xc0, 12];
        let end = |chain: &[u8]| u16::try_from(start + 12 + chain.len() - 2).unwrap();
        while chain.len() < ANSWER_BYTES / 2 {
            let last = end(&chain) | 0xc000;
            chain.extend(last.to_be_bytes());
        }
        let last = end(&chain);
        let pointer = (last | 0xc000).to_be_bytes();
        let full_of = |repeated: &[u8]| {
            let head = record(12, 16, &chain);
            let count = (ANSWER_BYTES - start - head.len()) / repeated.len();
            let bytes = answer(
                u16::try_from(count + 1).unwrap(),
                &[head, repeated.repeat(count)].concat(),
            );
            assert!(bytes.len() <= ANSWER_BYTES);
            bytes
        };
        let servers = full_of(&record(last, 33, &[&[0; 6], pointer.as_slice()].concat()));
        let circle = full_of(&record(last, 5, &pointer));

        let begin = Instant::now();
        match question().read(&servers) {
            Reading::Answer(Ok(records)) => {
                assert!(records.len() > 300, "{}", records.len());
                assert!(records.iter().all(|record| record.target == NAME));
            }
            // So newer releases of `domain` have it, which follow no more than 255 pointers.
            other => assert_eq!(other, Reading::Answer(Err(LookupError::Malformed))),
        }
        let malformed = Reading::Answer(Err(LookupError::Malformed));
        assert_eq!(question().read(&circle), malformed);
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "{:?}",
            begin.elapsed()
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = question().read(&bytes);
        }

        #[test]
        fn any_answer_section_is_read_without_a_panic(
            count in any::<u16>(),
            section in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = question().read(&answer(count, &section));
        }

        #[test]
        fn a_spoiled_answer_is_read_without_a_panic(
            spoiled in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let alias = record(12, 5, b"\x01b\xc0\x22");
            let mut bytes = answer(3, &[srv_record(), alias, srv_record()].concat());
            for (at, byte) in spoiled {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Reading::Answer(Ok(records)) = question().read(&bytes) {
                prop_assert!((1..=3).contains(&records.len()));
            }
        }
    }
}
