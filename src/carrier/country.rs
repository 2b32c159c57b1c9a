//! Countries: from what carriers write to ISO 3166-1 alpha-2.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::expr::fold;

/// One country a line: alpha-2, alpha-3, then its names in some languages of Europe, folded.
const TABLE: &str = include_str!("countries.txt");

/// Codes in use that are not the standard's.
const ALIASES: &[(&str, &str)] = &[("uk", "GB"), ("el", "GR"), ("uae", "AE"), ("u.k", "GB"), ("u.s.a", "US")];

static KNOWN: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    let mut known: HashMap<String, &'static str> =
        ALIASES.iter().map(|(alias, code)| ((*alias).to_owned(), *code)).collect();
    for line in TABLE.lines() {
        let mut parts = line.splitn(3, ' ');
        let (Some(two), Some(three)) = (parts.next(), parts.next()) else { continue };
        let names = parts.next().unwrap_or_default().split('|').filter(|name| !name.is_empty());
        let words = names.map(str::to_owned).chain([two.to_lowercase(), three.to_lowercase()]);
        known.extend(words.map(|word| (word, two)));
    }
    known
});

/// What two capital letters mean: how most carriers write countries.
static PAIRS: LazyLock<Vec<Option<&'static str>>> = LazyLock::new(|| {
    let letters = || (b'a'..=b'z').map(char::from);
    letters().flat_map(|a| letters().map(move |b| KNOWN.get(&format!("{a}{b}")).copied())).collect()
});

fn pair(text: &str) -> Option<usize> {
    let &[a @ b'A'..=b'Z', b @ b'A'..=b'Z'] = text.as_bytes() else { return None };
    Some(usize::from(a - b'A') * 26 + usize::from(b - b'A'))
}

/// The alpha-2 code of a country written as alpha-2, alpha-3 or by name.
pub(super) fn lookup(text: &str) -> Option<&'static str> {
    let text = text.trim().trim_end_matches('.');
    if text.is_empty() || text.len() > 80 {
        return None;
    }
    if let Some(at) = pair(text) {
        return PAIRS[at];
    }
    let folded = fold(text);
    if let Some(code) = KNOWN.get(&folded) {
        return Some(code);
    }
    let words: Vec<&str> = folded.split(|c: char| !c.is_ascii_lowercase()).filter(|word| !word.is_empty()).collect();
    (words.len() > 1).then(|| KNOWN.get(&words.join(" ")).copied()).flatten()
}

#[cfg(test)]
mod tests {
    use super::lookup;

    #[test]
    fn countries_are_known_in_the_forms_carriers_use() {
        for (text, code) in [
            ("FR", "FR"),
            ("fra", "FR"),
            ("France", "FR"),
            ("ÉTATS-UNIS", "US"),
            ("UK", "GB"),
            ("U.K.", "GB"),
            ("Deutschland", "DE"),
            ("Korea, Republic of", "KR"),
            ("Viet Nam", "VN"),
            ("CHN", "CN"),
            ("U.S.A.", "US"),
        ] {
            assert_eq!(lookup(text), Some(code), "{text}");
        }
        for text in ["", "X", "Paris", "ZZ", "un"] {
            assert_eq!(lookup(text), None, "{text}");
        }
    }
}
