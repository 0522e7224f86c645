//! Bytes as decisions: numbers and pieces taken from the front, zeros where there is nothing left.

/// What is left of an input.
#[derive(Clone, Debug)]
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) const fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                *byte
            }
            None => 0,
        }
    }

    pub(crate) fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// As many bytes as the next one says, or what is left.
    pub(crate) fn piece(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.0.len());
        let (piece, rest) = self.0.split_at(len);
        self.0 = rest;
        piece
    }

    pub(crate) const fn rest(self) -> &'a [u8] {
        self.0
    }

    /// One of these.
    pub(crate) fn choose<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let choice = usize::from(self.byte());
        from.get(choice % from.len().max(1)).copied()
    }
}

/// Cuts bytes into pieces whose lengths follow from `seed`: 0 leaves them whole, 1 takes them one by
/// one.
pub(crate) fn cut(bytes: &[u8], seed: u8) -> Vec<&[u8]> {
    match seed {
        0 => return vec![bytes],
        1 => return bytes.chunks(1).collect(),
        _ => {}
    }
    let (mut rest, mut pieces, mut state) = (bytes, Vec::new(), u32::from(seed));
    while !rest.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let len = (state >> 24) as usize % (usize::from(seed) + 1) + 1;
        let (piece, after) = rest.split_at(len.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
