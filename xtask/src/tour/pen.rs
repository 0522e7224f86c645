//! How the tour looks: plain text, with colours where a terminal reads it.

use std::cell::Cell;
use std::env;
use std::io;
use std::io::IsTerminal;
use std::time::Duration;

/// Writes the tour to stdout.
#[derive(Debug)]
pub(super) struct Pen {
    colours: bool,
    /// The number of the step under way, from 1.
    step: Cell<u32>,
}

impl Pen {
    pub(super) fn new() -> Self {
        let wanted = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            colours: wanted && io::stdout().is_terminal(),
            step: Cell::new(0),
        }
    }

    /// Who goes on tour, and where.
    pub(super) fn title(&self, who: &str, place: &str) {
        self.step.set(0);
        println!("\n{}, {place}\n", self.paint(BOLD, who));
    }

    /// What a step asks for.
    pub(super) fn ask(&self, what: &str) {
        let step = self.step.get() + 1;
        self.step.set(step);
        println!("{step:3}  {}", self.paint(BOLD, what));
    }

    /// What came back, and how long that took.
    pub(super) fn answer(&self, what: &str, took: Duration) {
        let took = format!("{:.1} ms", took.as_secs_f64() * 1000.0);
        let gap = WIDTH
            .saturating_sub(what.chars().count() + took.chars().count())
            .max(2);
        println!("       {what}{:gap$}{}", "", self.paint(DIM, &took));
    }

    /// Something that happens in the middle of a step.
    pub(super) fn happens(&self, what: &str) {
        println!("     {} {what}", self.paint(YELLOW, "!"));
    }

    /// One change of many.
    pub(super) fn change(&self, what: &str) {
        println!("       {}", self.paint(DIM, what));
    }

    /// How it ended.
    pub(super) fn verdict(&self, good: bool, what: &str) {
        let word = match good {
            true => self.paint(GREEN, "ok"),
            false => self.paint(RED, "FAILED"),
        };
        println!("\n     {word}: {what}");
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        match self.colours {
            true => format!("\x1b[{colour}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
/// Answer and time together.
const WIDTH: usize = 72;
