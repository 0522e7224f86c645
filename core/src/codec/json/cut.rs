//! Takes the elements of one list out of JSON objects while these come.
//!
//! An object whose list is long is not kept until it ends: each element is handed over as it ends and
//! its bytes are forgotten, and so are the blanks and commas around it. What is kept is the object
//! without the elements, with an empty list in their place, so the JSON parser that gets it in the end
//! judges all the rest. Whatever does not lead to the list by plain names, such as one written with
//! escapes, stays where it is.

use core::mem;
use std::borrow::Cow;

use super::nesting::Broken;
use super::nesting::Nesting;
use super::nesting::Reached;
use super::nesting::Stops;
use super::nesting::is_blank;
use super::split::Frame;
use super::split::JsonLimits;
use super::split::SplitError;
use crate::codec::count;
use crate::codec::find;
use crate::codec::find_byte;
use crate::codec::take;
use crate::error::JsonError;
use crate::error::Limit;

/// Which list, and how long its elements may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List {
    /// The names of the members that lead to it, the outermost first.
    pub(crate) path: &'static [&'static str],
    /// Bytes of one element.
    pub(crate) element_bytes: usize,
    /// What says that an element has more.
    pub(crate) too_long: fn(usize) -> Limit,
}

/// Cuts bytes that come in any pieces into objects, and the elements of their lists.
#[derive(Debug)]
pub(crate) struct Cutter {
    limits: JsonLimits,
    list: List,
    place: Place,
    nesting: Nesting,
    /// How many names of the path lead to what is open.
    matched: usize,
    /// The object so far without the elements; at most `frame_bytes`.
    kept: Vec<u8>,
    /// The element so far, if it began in an earlier piece; at most `element_bytes`.
    part: Vec<u8>,
    /// Bytes used by earlier calls.
    offset: u64,
    /// Where the object and its last element began.
    object_at: u64,
    element_at: u64,
    /// How much of the object was kept when its list began, and how many bytes were not kept.
    gap_at: usize,
    gap: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// Between objects.
    Between,
    /// In an object, outside of the list.
    Outside,
    /// Before the first element.
    First,
    /// Inside an element.
    Element,
    /// Behind an element.
    Behind,
    /// Behind a comma.
    Next,
    /// The bytes were refused.
    Failed(SplitError),
}

/// What came.
#[derive(Debug)]
pub(crate) enum Cut<'a> {
    /// The list began: [`Cutter::so_far`] has what came before it.
    List,
    /// An object that is an element of the list.
    Element(Frame<'a>),
    /// The object ended; this is all of it but the elements.
    End(Vec<u8>),
}

impl Cutter {
    pub(crate) const fn new(limits: JsonLimits, list: List) -> Self {
        Self {
            limits,
            list,
            place: Place::Between,
            nesting: Nesting::new(),
            matched: 0,
            kept: Vec::new(),
            part: Vec::new(),
            offset: 0,
            object_at: 0,
            element_at: 0,
            gap_at: 0,
            gap: 0,
        }
    }

    /// Whether the next byte is one between objects.
    pub(crate) fn is_between(&self) -> bool {
        self.place == Place::Between
    }

    /// The object so far, without the elements and with all that is open closed.
    pub(crate) fn so_far(&self) -> Vec<u8> {
        let mut object = self.kept.clone();
        object.extend(self.nesting.closers());
        object
    }

    /// The bytes so far of an element that has not ended.
    pub(crate) fn partial(&self) -> &[u8] {
        &self.part
    }

    /// Where in the body a byte of the last element was.
    pub(crate) fn place_in_element(&self, index: usize) -> u64 {
        self.element_at.saturating_add(count(index))
    }

    /// Where in the body a byte of the object without its elements was.
    pub(crate) fn place_in_object(&self, index: usize) -> u64 {
        let gap = if index > self.gap_at { self.gap } else { 0 };
        let place = self.object_at.saturating_add(count(index));
        place.saturating_add(gap)
    }

    /// How many bytes are held.
    pub(crate) fn held_bytes(&self) -> usize {
        self.kept.capacity().saturating_add(self.part.capacity())
    }

    /// Between objects: the one that ends where the first line of the input does, or the input. Whether
    /// it is one is not looked at. Gives also how many bytes to skip for it.
    pub(crate) fn line<'a>(&self, input: &'a [u8]) -> Option<(usize, &'a [u8])> {
        let blank = find(input, |byte| !is_blank(byte))?;
        let (_, rest) = input.split_at_checked(blank)?;
        let len = find_byte(rest, b'\n').unwrap_or(rest.len());
        let (line, _) = rest.split_at_checked(len)?;
        let is_object = line.first() == Some(&b'{') && line.last() == Some(&b'}');
        (is_object && len <= self.whole_bytes()).then(|| (blank.saturating_add(len), line))
    }

    /// Between objects: the next one, if all of it is there and nothing is wrong with its brackets.
    /// Gives also how many bytes to skip for it.
    pub(crate) fn whole<'a>(&mut self, input: &'a [u8]) -> Option<(usize, &'a [u8])> {
        let blank = find(input, |byte| !is_blank(byte))?;
        let (_, begin) = input.split_at_checked(blank)?;
        if begin.first() != Some(&b'{') {
            return None;
        }
        let mut window = take(&mut &*begin, self.whole_bytes());
        let allowed = window.len();
        let reached = self.nesting.scan(&mut window, self.stops(0, 0));
        self.nesting.clear();
        let len = allowed.saturating_sub(window.len());
        let (object, _) = begin.split_at_checked(len)?;
        (reached == Ok(Reached::Ended)).then(|| (blank.saturating_add(len), object))
    }

    /// Passes over an object that somebody else read.
    pub(crate) fn skip(&mut self, len: usize) {
        self.offset = self.offset.saturating_add(count(len));
    }

    /// An object as long as this passes no limit, whatever is in it.
    fn whole_bytes(&self) -> usize {
        self.limits.frame_bytes.min(self.list.element_bytes)
    }

    /// Reads on, up to the next thing that came: how many bytes of the input were used, and what
    /// came. Call it again with the rest until nothing came; then all of the input was used.
    ///
    /// The first error comes again every time.
    pub(crate) fn push<'a>(
        &mut self,
        input: &'a [u8],
    ) -> Result<(usize, Option<Cut<'a>>), SplitError> {
        let mut rest = input;
        let cut = self.next(&mut rest, input.len());
        let used = count(input.len().saturating_sub(rest.len()));
        match cut {
            Ok(cut) => {
                self.offset = self.offset.saturating_add(used);
                Ok((input.len().saturating_sub(rest.len()), cut))
            }
            Err(stop) => {
                let offset = self.offset.saturating_add(used);
                let error = match stop {
                    Stop::Broken(Broken::Byte(byte)) => {
                        JsonError::UnexpectedByte { offset, byte }.into()
                    }
                    Stop::Broken(Broken::Json(error)) => error.into(),
                    Stop::Limit(limit) => limit.into(),
                    Stop::Remembered(error) => error,
                };
                self.place = Place::Failed(error.clone());
                Err(error)
            }
        }
    }

    /// Says that the body has ended.
    pub(crate) fn finish(&self) -> Result<(), JsonError> {
        match &self.place {
            Place::Between => Ok(()),
            Place::Failed(SplitError::Json(error)) => Err(error.clone()),
            _ => Err(JsonError::Truncated),
        }
    }

    fn next<'a>(&mut self, rest: &mut &'a [u8], len: usize) -> Result<Option<Cut<'a>>, Stop> {
        loop {
            match &self.place {
                Place::Failed(error) => return Err(Stop::Remembered(error.clone())),
                Place::Outside => match self.outside(rest)? {
                    Outside::Starved => return Ok(None),
                    Outside::Goes => {}
                    Outside::Cut(cut) => return Ok(Some(cut)),
                },
                Place::Element => return self.element(rest),
                Place::Between | Place::First | Place::Behind | Place::Next => {
                    let blank = find(rest, |byte| !is_blank(byte)).unwrap_or(rest.len());
                    take(rest, blank);
                    let Some(&byte) = rest.first() else {
                        return Ok(None);
                    };
                    let at = self.at(rest, len);
                    self.place = match (&self.place, byte) {
                        (Place::Between, b'{') => {
                            (self.object_at, self.gap) = (at, 0);
                            Place::Outside
                        }
                        (Place::First | Place::Next, b'{') => {
                            self.element_at = at;
                            Place::Element
                        }
                        (Place::First | Place::Behind, b']') => {
                            let kept = self.object_at.saturating_add(count(self.kept.len()));
                            self.gap = at.saturating_sub(kept);
                            Place::Outside
                        }
                        (Place::Behind, b',') => {
                            take(rest, 1);
                            Place::Next
                        }
                        _ => return Err(Stop::Broken(Broken::Byte(byte))),
                    };
                }
            }
        }
    }

    /// Where in the body the rest of an input of this length begins.
    fn at(&self, rest: &[u8], len: usize) -> u64 {
        let used = count(len.saturating_sub(rest.len()));
        self.offset.saturating_add(used)
    }

    fn outside<'a>(&mut self, rest: &mut &'a [u8]) -> Result<Outside<'a>, Stop> {
        let limit = self.limits.frame_bytes;
        let stops = self.stops(self.list.path.len(), 0);
        let (reached, beyond) =
            keep(&mut self.nesting, stops, &mut self.kept, limit, rest).map_err(Stop::Broken)?;
        match reached {
            Reached::More if beyond => Err(Stop::Limit(Limit::Frame(limit))),
            Reached::More => Ok(Outside::Starved),
            Reached::Ended => {
                self.place = Place::Between;
                self.matched = 0;
                Ok(Outside::Cut(Cut::End(mem::take(&mut self.kept))))
            }
            Reached::Opened if self.opens_list() => {
                self.place = Place::First;
                if self.gap == 0 {
                    self.gap_at = self.kept.len();
                }
                Ok(Outside::Cut(Cut::List))
            }
            Reached::Opened => Ok(Outside::Goes),
        }
    }

    /// A bracket was opened that may be on the path. Whether it is the list's.
    fn opens_list(&mut self) -> bool {
        // Of how many members it is inside, the one whose value it opens included.
        let level = self.nesting.depth().saturating_sub(1);
        let above = level.saturating_sub(1);
        self.matched = self.matched.min(above);
        let Some((bracket, name)) = self.kept.split_last() else {
            return false;
        };
        let Some(wanted) = self.list.path.get(above).filter(|_| self.matched == above) else {
            return false;
        };
        if !is_named(name, wanted) {
            return false;
        }
        if level == self.list.path.len() {
            return *bracket == b'[';
        }
        if *bracket == b'{' {
            self.matched = level;
        }
        false
    }

    fn element<'a>(&mut self, rest: &mut &'a [u8]) -> Result<Option<Cut<'a>>, Stop> {
        let (limit, floor) = (self.list.element_bytes, self.list.path.len());
        let stops = self.stops(0, floor.saturating_add(1));
        if self.part.is_empty() {
            // Most elements lie in one piece, and are lent.
            let begin = *rest;
            let mut window = take(&mut &*begin, limit);
            let allowed = window.len();
            let reached = self.nesting.scan(&mut window, stops);
            let part = take(rest, allowed.saturating_sub(window.len()));
            if reached == Ok(Reached::Ended) {
                self.place = Place::Behind;
                return Ok(Some(Cut::Element(Frame(Cow::Borrowed(part)))));
            }
            self.part.extend_from_slice(part);
            reached.map_err(Stop::Broken)?;
            if !rest.is_empty() {
                return Err(Stop::Limit((self.list.too_long)(limit)));
            }
            return Ok(None);
        }
        let (reached, beyond) =
            keep(&mut self.nesting, stops, &mut self.part, limit, rest).map_err(Stop::Broken)?;
        match reached {
            Reached::Ended => {
                self.place = Place::Behind;
                let element = Cow::Owned(mem::take(&mut self.part));
                Ok(Some(Cut::Element(Frame(element))))
            }
            _ if beyond => Err(Stop::Limit((self.list.too_long)(limit))),
            _ => Ok(None),
        }
    }

    const fn stops(&self, shallow: usize, floor: usize) -> Stops {
        Stops {
            shallow,
            floor,
            depth: self.limits.depth,
        }
    }
}

/// What became of bytes outside of the list.
enum Outside<'a> {
    /// There are no more.
    Starved,
    /// Go on.
    Goes,
    Cut(Cut<'a>),
}

/// Why a call to [`Cutter::push`] fails.
enum Stop {
    /// It had failed so before.
    Remembered(SplitError),
    Broken(Broken),
    Limit(Limit),
}

/// Scans, and moves what was scanned to `kept`, up to `limit` bytes there; no more is looked at, so
/// that the limit strikes at the same byte however the bytes were cut. Also says whether there is more.
fn keep(
    nesting: &mut Nesting,
    stops: Stops,
    kept: &mut Vec<u8>,
    limit: usize,
    rest: &mut &[u8],
) -> Result<(Reached, bool), Broken> {
    let mut window = take(&mut &**rest, limit.saturating_sub(kept.len()));
    let allowed = window.len();
    let reached = nesting.scan(&mut window, stops);
    kept.extend_from_slice(take(rest, allowed.saturating_sub(window.len())));
    Ok((reached?, !rest.is_empty()))
}

/// Whether the text of an object ends with this name of a member and its colon.
fn is_named(text: &[u8], name: &str) -> bool {
    let before = text
        .trim_ascii_end()
        .strip_suffix(b":")
        .and_then(|text| text.trim_ascii_end().strip_suffix(b"\""))
        .and_then(|text| text.strip_suffix(name.as_bytes()))
        .and_then(|text| text.strip_suffix(b"\""));
    // With anything else before it, it is the end of a longer name.
    before.is_some_and(|text| matches!(text.trim_ascii_end().last(), Some(b'{' | b',')))
}
