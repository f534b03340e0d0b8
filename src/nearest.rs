//! The word that was meant by a mistyped one.

/// Returns the known word that a mistyped one is closest to, if it is close.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let most = (word.chars().count() / 3).clamp(1, 3);
    let near = known
        .into_iter()
        .filter(|known| known.len().abs_diff(word.len()) <= most)
        .map(|known| (strsim::osa_distance(&word, &known.to_lowercase()), known));
    near.filter(|(distance, _)| *distance <= most).min().map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_word_is_near_and_another_word_is_not() {
        let known = ["stable", "testing", "unstable", "old"];
        for (word, meant) in [
            ("stabel", Some("stable")),
            ("Stable", Some("stable")),
            ("testin", Some("testing")),
            ("unstabel", Some("unstable")),
            ("odl", Some("old")),
            ("bookworm", None),
            ("", None),
            ("new", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
