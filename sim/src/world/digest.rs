//! One number that stands for everything that happened.

/// Takes in what happens, in order. Two worlds in which the same happened have the same number; two in
/// which something differed have, as good as always, different ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digest {
    state: u64,
}

impl Digest {
    pub(super) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(super) const fn add(&mut self, number: u64) {
        let mixed = (self.state ^ number).wrapping_mul(0x9fb2_1c65_1e98_df25);
        self.state = mixed ^ (mixed >> 29);
    }

    pub(super) fn add_bytes(&mut self, bytes: &[u8]) {
        self.add(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }

    pub(super) const fn value(self) -> u64 {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(bytes: &[u8]) -> u64 {
        let mut digest = Digest::new(1);
        digest.add_bytes(bytes);
        digest.value()
    }

    #[test]
    fn every_byte_and_every_length_counts() {
        let bytes = [7; 21];
        let whole = digest(&bytes);
        for place in 0..bytes.len() {
            let mut other = bytes;
            other[place] ^= 1;
            assert_ne!(digest(&other), whole, "byte {place}");
            assert_ne!(digest(&bytes[..place]), whole, "{place} bytes");
        }
        assert_ne!(digest(&[0]), digest(&[0, 0]));
    }
}
