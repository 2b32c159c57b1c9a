//! Check characters of tracking numbers. Everything here takes any text and answers yes or no.

use super::definition::numbers::{CheckKind, CheckRule, Checksum, Letters, Over};

/// Whether one of the checks holds for this match. `groups` are those of the pattern, the whole first.
pub(super) fn holds(checksum: &Checksum, groups: &regex::Captures<'_>) -> bool {
    checksum.0.iter().any(|rule| rule_holds(rule, groups))
}

/// The check character that stands in this match and the one that would be right; nothing where several checks are
/// tried, or where no character would do.
pub(super) fn expected(checksum: &Checksum, groups: &regex::Captures<'_>) -> Option<(char, char)> {
    let [rule] = checksum.0.as_slice() else { return None };
    let mut text = checked_text(rule, groups);
    // Two letters follow the digit of an S10 number.
    let at = if rule.kind == CheckKind::S10 { 10 } else { text.len().checked_sub(1)? };
    let given = *text.get(at)?;
    let right = ('0'..='9').chain('A'..='Z').find(|c| {
        text[at] = *c;
        text_holds(rule, &text)
    })?;
    Some((given, right))
}

fn rule_holds(rule: &CheckRule, groups: &regex::Captures<'_>) -> bool {
    text_holds(rule, &checked_text(rule, groups))
}

fn checked_text(rule: &CheckRule, groups: &regex::Captures<'_>) -> Vec<char> {
    let whole = groups.get(0).map_or("", |whole| whole.as_str());
    let over: Vec<char> = match rule.over {
        Over::Whole => whole.chars().collect(),
        Over::Group(group) => groups.get(group).map_or("", |found| found.as_str()).chars().collect(),
        Over::Range(from, to) => whole.chars().skip(from - 1).take(to + 1 - from).collect(),
    };
    let mut text: Vec<char> = rule.prefix.chars().collect();
    if text.is_empty() || over.starts_with(&text) {
        text.clear();
    }
    text.extend(over);
    text
}

fn text_holds(rule: &CheckRule, text: &[char]) -> bool {
    match rule.kind {
        CheckKind::S10 => s10(text),
        CheckKind::Mod10 => weighted(rule, text, &rule.weights, 10),
        CheckKind::Mod11 => weighted(rule, text, &rule.weights, 11),
        CheckKind::Gs1 => weighted(&CheckRule { from_right: true, ..rule.clone() }, text, &[3, 1], 10),
        CheckKind::Luhn => {
            weighted(&CheckRule { from_right: true, product_digits: true, ..rule.clone() }, text, &[2, 1], 10)
        }
        CheckKind::Mod10Ups => {
            let start = if text.starts_with(&['1', 'Z']) { 2 } else { usize::from(text.len() == 11) };
            let letters = CheckRule { letters: Letters::Ups, ..rule.clone() };
            weighted(&letters, text.get(start..).unwrap_or_default(), &[1, 2], 10)
        }
        CheckKind::Mod7 => mod7(text),
        CheckKind::Mod37_36 => mod37_36(text),
    }
}

fn digit_of(c: char, letters: &Letters) -> Option<u32> {
    match (c, letters) {
        ('0'..='9', _) => c.to_digit(10),
        ('A'..='Z', Letters::Ups) => Some((u32::from(c) - 63) % 10),
        ('A'..='Z', Letters::Base36) => c.to_digit(36),
        (_, Letters::Listed(listed)) => listed.get(&c).copied(),
        _ => None,
    }
}

fn weighted(rule: &CheckRule, text: &[char], weights: &[u32], modulus: u32) -> bool {
    let Some((check, body)) = text.split_last().filter(|(_, body)| !body.is_empty()) else { return false };
    let in_order: Vec<&char> = if rule.from_right { body.iter().rev().collect() } else { body.iter().collect() };
    let mut sum = 0_u32;
    for (c, weight) in in_order.into_iter().zip(weights.iter().cycle()) {
        let Some(digit) = digit_of(*c, &rule.letters) else { return false };
        let product = digit * weight;
        sum += if rule.product_digits { product / 10 + product % 10 } else { product };
    }
    let rest = sum % modulus;
    let complement = rule.complement.unwrap_or(modulus == 10);
    let wanted = if complement { (modulus - rest) % modulus } else { rest } % 10;
    check.to_digit(10) == Some(wanted)
}

fn s10(text: &[char]) -> bool {
    const WEIGHTS: [u32; 8] = [8, 6, 4, 2, 3, 5, 9, 7];
    let Some(digits) = text.get(2..11).filter(|_| text.len() == 13) else { return false };
    let Some(values) = digits.iter().map(|c| c.to_digit(10)).collect::<Option<Vec<u32>>>() else { return false };
    let sum: u32 = values.iter().zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
    let wanted = match 11 - sum % 11 {
        10 => 0,
        11 => 5,
        other => other,
    };
    values.last() == Some(&wanted)
}

fn mod7(text: &[char]) -> bool {
    let Some((check, body)) = text.split_last().filter(|(_, body)| !body.is_empty()) else { return false };
    let rest = body.iter().try_fold(0, |rest, c| Some((rest * 10 + c.to_digit(10)?) % 7));
    rest.is_some() && check.to_digit(10) == rest
}

fn mod37_36(text: &[char]) -> bool {
    let Some((check, body)) = text.split_last().filter(|(_, body)| !body.is_empty()) else { return false };
    let value = |c: &char| c.to_digit(36).filter(|_| c.is_ascii_digit() || c.is_ascii_uppercase());
    let product = body.iter().try_fold(36, |product, c| {
        let sum = product + value(c)?;
        Some((if sum > 36 { sum - 36 } else { sum }) * 2 % 37)
    });
    product.is_some_and(|product| value(check) == Some((37 - product) % 36))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    fn check(rule: &str, text: &str) -> bool {
        #[derive(serde::Deserialize)]
        struct Holder {
            checksum: Checksum,
        }
        let holder: Holder = toml::from_str(&format!("checksum = {rule}")).unwrap();
        let regex = Regex::new(r"^(.*)$").unwrap();
        holds(&holder.checksum, &regex.captures(text).unwrap())
    }

    /// Published sample numbers, and numbers whose check was computed with Python.
    #[test]
    fn published_numbers_hold_and_a_changed_digit_does_not() {
        let fedex12 = "{ kind = \"mod11\", weights = [3, 1, 7] }";
        let fedex15 = "{ kind = \"mod10\", weights = [1, 3] }";
        for (rule, good) in [
            ("\"mod10_ups\"", "1Z5R89390357567127"),
            ("\"mod10_ups\"", "1Z879E930346834440"),
            ("\"s10\"", "RB123456785GB"),
            ("\"s10\"", "RA123456785US"),
            (fedex12, "986578788855"),
            (fedex12, "477179081230"),
            (fedex15, "041441760228964"),
            (fedex15, "568283610012000"),
            ("{ kind = \"mod10\", weights = [3, 1], over = \"3-18\" }", "000123450000000027"),
            ("{ kind = \"mod10\", weights = [1, 3], over = \"8-22\" }", "9611020987654312345672"),
            ("{ kind = \"mod11\", weights = [1, 7, 3], over = \"21-34\" }", "1001921334250001000300779017972697"),
            ("\"gs1\"", "9400111202555842332669"),
            ("\"gs1\"", "03071790000523483741"),
            ("{ kind = \"gs1\", prefix = \"91\" }", "71123456789123456789"),
            ("\"mod7\"", "3318810025"),
            ("\"mod7\"", "73891051146"),
            ("\"luhn\"", "79927398713"),
            ("[\"s10\", \"mod7\"]", "3318810025"),
        ] {
            assert!(check(rule, good), "{rule} {good}");
            let last = good.rfind(|c: char| c.is_ascii_digit()).unwrap();
            let other = if &good[last..=last] == "3" { "4" } else { "3" };
            let bad = format!("{}{other}{}", &good[..last], &good[last + 1..]);
            assert!(!check(rule, &bad), "{rule} {bad}");
        }
    }

    #[test]
    fn iso_7064_agrees_with_its_published_example() {
        // "A12425GABC1234002" with check character M stands in the standard's description of mod 37/36.
        assert!(check("\"mod37_36\"", "A12425GABC1234002M"));
        assert!(!check("\"mod37_36\"", "A12425GABC1234002N"));
    }

    #[test]
    fn senseless_checks_are_refused() {
        #[derive(serde::Deserialize)]
        struct Holder {
            #[expect(dead_code, reason = "only whether it can be read matters")]
            checksum: Checksum,
        }
        for text in [
            "\"mod10\"",
            "\"nonsense\"",
            "{ kind = \"s10\", weights = [1] }",
            "{ kind = \"mod10\" }",
            "{ kind = \"gs1\", over = \"9-3\" }",
            "{ kind = \"gs1\", over = \"0-3\" }",
            "{ kind = \"gs1\", wat = 1 }",
            "7",
        ] {
            assert!(toml::from_str::<Holder>(&format!("checksum = {text}")).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_a_check(text in "\\PC{0,50}") {
            for rule in ["\"s10\"", "\"gs1\"", "\"luhn\"", "\"mod7\"", "\"mod37_36\"", "\"mod10_ups\"",
                "{ kind = \"mod10\", weights = [999, 1000], letters = \"base36\", over = \"8-22\" }"] {
                check(rule, &text);
            }
        }
    }
}
