//! Of some names the one that was probably meant.
//!
//! Capitals, dashes and underscores count for nothing. What the names are for is not known here.

/// Names longer than this are nobody's slip of the finger, and would cost time.
const LONGEST: usize = 64;

/// The name nearest to the one given, if any is near: a third of its letters may be wrong, one in any case.
pub(crate) fn nearest<'a>(
    given: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if given.is_empty() || given.len() > LONGEST {
        return None;
    }
    let given = plain(given);
    names
        .into_iter()
        .map(|name| {
            let known = plain(name);
            let most = (known.len().min(given.len()) / 3).max(1);
            (strsim::osa_distance(&given, &known), most, name)
        })
        .filter(|(distance, most, _)| distance <= most)
        .min_by_key(|(distance, ..)| *distance)
        .map(|(.., name)| name)
}

fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '-' | '_'))
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let names = ["read_timeout", "write_timeout", "calls", "key"];
        for (given, expected) in [
            ("read_timout", Some("read_timeout")),
            ("raed_timeout", Some("read_timeout")),
            ("readTimeout", Some("read_timeout")),
            ("WRITE-TIMEOUT", Some("write_timeout")),
            ("cals", Some("calls")),
            ("kez", Some("key")),
            ("colour", None),
            ("", None),
            ("timeout", None),
        ] {
            assert_eq!(nearest(given, names), expected, "{given}");
        }
        assert_eq!(nearest(&"read_timeout".repeat(1000), names), None);
    }
}
