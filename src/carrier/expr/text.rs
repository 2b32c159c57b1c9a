//! Text helpers that definitions and text rules share: folding, plain text, countries.

/// Lower case, without accents, one blank between words, straight apostrophes: how texts are compared.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return fold_ascii(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
            continue;
        }
        fold_char(c, &mut out);
    }
    out.truncate(out.trim_end().len());
    out
}

fn fold_char(c: char, out: &mut String) {
    for c in c.to_lowercase() {
        match c {
            c if c.is_whitespace() => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            '\u{300}'..='\u{36f}' => {}
            '’' | '‘' | 'ʼ' | '´' | '`' => out.push('\''),
            c => match unaccented(c) {
                Some(plain) => out.push_str(plain),
                None => out.push(c),
            },
        }
    }
}

fn fold_ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            // The whitespace of Unicode below 128.
            b'\t'..=b'\r' | b' ' => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            b'`' => out.push('\''),
            byte => out.push(char::from(byte.to_ascii_lowercase())),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// The letters under the accents of Latin scripts.
fn unaccented(c: char) -> Option<&'static str> {
    Some(match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' | 'ǎ' | 'ạ' | 'ả' | 'ấ' | 'ầ' | 'ẩ' | 'ẫ' | 'ậ' | 'ắ'
        | 'ằ' | 'ặ' => "a",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' | 'ẹ' | 'ẻ' | 'ẽ' | 'ế' | 'ề' | 'ể' | 'ễ' | 'ệ' => {
            "e"
        }
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì' | 'í' | 'î' | 'ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' | 'ỉ' | 'ị' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ŏ' | 'ő' | 'ơ' | 'ọ' | 'ỏ' | 'ố' | 'ồ' | 'ổ' | 'ỗ' | 'ộ' | 'ớ'
        | 'ờ' | 'ợ' => "o",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'ù' | 'ú' | 'û' | 'ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' | 'ư' | 'ụ' | 'ủ' | 'ứ' | 'ừ' | 'ử' | 'ữ' | 'ự' => {
            "u"
        }
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' | 'ỳ' | 'ỵ' | 'ỷ' | 'ỹ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        'æ' => "ae",
        'œ' => "oe",
        'ß' => "ss",
        _ => return None,
    })
}

/// Text without tags, with the common entities read.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        match after.split_once('>') {
            Some((tag, tail)) if tag.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!') => {
                rest = tail;
            }
            _ => {
                out.push('<');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    for (entity, c) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&apos;", "'"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ] {
        out = out.replace(entity, c);
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The ISO 3166-1 alpha-2 code of a country given as alpha-2, alpha-3 or by its name in English (a few other
/// languages where carriers write them); nothing when it is not known.
#[must_use]
pub fn lookup_country(text: &str) -> Option<&'static str> {
    super::super::country::lookup(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn plain_text_is_folded_like_any_other(text in "[ -~\\t\\r\\n\u{b}\u{c}\u{1f}]{0,20}") {
            // The accent is dropped, and keeps the quick way from being taken.
            proptest::prop_assert_eq!(fold(&text), fold(&format!("\u{301}{text}")));
        }
    }

    #[test]
    fn folding_makes_texts_comparable() {
        assert_eq!(fold("  Échec  de\nLivraison à l’Œuvre "), "echec de livraison a l'oeuvre");
        assert_eq!(fold("e\u{301}t\u{e9}"), "ete");
        assert_eq!(plain("USPS <SUP>&reg;</SUP> Ground &amp; Air 1 < 2"), "USPS &reg; Ground & Air 1 < 2");
    }
}
