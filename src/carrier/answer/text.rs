//! Texts of carriers are untrusted: they reach webhooks, terminals and shops' pages.

/// Longest description.
pub const DESCRIPTION: usize = 500;
/// Longest of short fields: names, places, codes.
pub const SHORT: usize = 120;
/// Longest URL.
const URL: usize = 2000;

/// A text without control and direction characters, blanks collapsed, at most `max` characters; nothing when
/// nothing is left.
pub fn clean(text: &str, max: usize) -> Option<String> {
    if is_clean(text, max) {
        return Some(text.to_owned());
    }
    let mut out = String::with_capacity(text.len().min(max * 4));
    let mut count = 0;
    let mut blank = false;
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            blank = !out.is_empty();
            continue;
        }
        if is_invisible(c) {
            continue;
        }
        let width = 1 + usize::from(blank);
        if count + width > max {
            break;
        }
        if std::mem::take(&mut blank) {
            out.push(' ');
        }
        out.push(c);
        count += width;
    }
    (!out.is_empty()).then_some(out)
}

/// Whether plain text can stay as it is: printable ASCII, words apart by one blank. Most texts are.
fn is_clean(text: &str, max: usize) -> bool {
    let bytes = text.as_bytes();
    let ends = !matches!((bytes.first(), bytes.last()), (None | Some(b' '), _) | (_, Some(b' ')));
    let mut before = b'x';
    ends && bytes.len() <= max
        && bytes.iter().all(|&byte| {
            let good = matches!(byte, b' '..=b'~') && (byte != b' ' || before != b' ');
            before = byte;
            good
        })
}

/// Characters that turn, hide or mark text: direction marks and overrides, zero widths, tags.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// A URL that a browser may be sent to: http or https, nothing hidden in it.
pub fn web_url(text: &str) -> Option<String> {
    let text = text.trim();
    if text.len() > URL || text.chars().any(|c| c.is_control() || c.is_whitespace() || is_invisible(c)) {
        return None;
    }
    let url = url::Url::parse(text).ok()?;
    let web = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    web.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cleaned_and_capped_at_a_character() {
        assert_eq!(clean("  a\u{202E}b\n\tc\u{0} \u{1b}[31m ", 100).as_deref(), Some("ab c [31m"));
        assert_eq!(clean("ééééé", 3).as_deref(), Some("ééé"));
        assert_eq!(clean("ab cd", 3).as_deref(), Some("ab"));
        assert_eq!(clean(" \u{200B}\n", 3), None);
    }

    proptest::proptest! {
        #[test]
        fn what_can_stay_is_what_cleaning_gives(text in "([a-z]{0,3}[ ]{0,2}[\\t\u{e9}~]{0,1}){0,4}", max in 1_usize..20) {
            let longer = format!("{text}\u{200B}");
            // The mark is dropped, and keeps the quick way from being taken.
            proptest::prop_assert_eq!(clean(&text, max), clean(&longer, max));
        }
    }

    #[test]
    fn only_web_addresses_are_handed_on() {
        assert!(web_url("https://carrier.example/t?n=1").is_some());
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "https://a:b@c.example/",
            "/relative",
            "https://a.example/ b",
            "",
        ] {
            assert_eq!(web_url(bad), None, "{bad}");
        }
    }
}
