//! The hub by itself.
