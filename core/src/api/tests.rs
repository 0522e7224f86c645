//! What holds for every type of the api: its JSON, and the checks before sending.

mod administration;
mod amplifying;
mod base64;
mod checks;
mod emitting;
mod forms;
mod scanning;
mod strategies;
mod texts;
