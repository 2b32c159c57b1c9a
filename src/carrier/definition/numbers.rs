//! `[normalise]`, `[[numbers]]`: what a carrier's numbers look like.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use serde::de::{self, Visitor};

/// `[normalise]`: how a number is written before it is compared.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NormaliseSpec {
    /// Letters become upper case.
    pub upper: bool,
    /// Characters that are dropped, beside white space.
    pub strip: String,
}

impl Default for NormaliseSpec {
    fn default() -> Self {
        Self { upper: true, strip: " -".to_owned() }
    }
}

/// One `[[numbers]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberFormat {
    /// What such numbers are called.
    pub name: String,
    /// Their shape; it always has to match the whole number.
    pub regex: NumberRegex,
    /// The group that is asked; absent: the whole.
    #[serde(default)]
    pub part: Option<usize>,
    /// How it is checked.
    #[serde(default)]
    pub checksum: Checksum,
    /// Whether a number of this shape, whose carrier is not known, may be one of this carrier.
    #[serde(default = "yes")]
    pub detect: bool,
    /// Numbers that match, published or invented.
    #[serde(default)]
    pub examples: Vec<String>,
}

/// A pattern that has to match the whole.
#[derive(Debug, Clone)]
pub struct NumberRegex {
    text: String,
    built: OnceLock<Option<Regex>>,
}

impl NumberRegex {
    /// One that is known to be good, compiled when it is needed.
    pub(in crate::carrier) fn later(text: String) -> Self {
        Self { text, built: OnceLock::new() }
    }

    /// The pattern. There is none only where a text was wrongly taken for good.
    pub fn get(&self) -> Option<&Regex> {
        self.built.get_or_init(|| Self::build(&self.text).ok()).as_ref()
    }

    /// Whether all of the text fits.
    pub fn is_match(&self, text: &str) -> bool {
        self.get().is_some_and(|regex| regex.is_match(text))
    }

    fn build(text: &str) -> Result<Regex, regex::Error> {
        RegexBuilder::new(&format!("^(?:{})$", ascii_classes(text))).size_limit(1 << 20).build()
    }
}

impl<'de> Deserialize<'de> for NumberRegex {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        match Self::build(&text) {
            Ok(regex) => Ok(Self { text, built: OnceLock::from(Some(regex)) }),
            Err(error) => Err(de::Error::custom(pattern_problem(&text, &error))),
        }
    }
}

/// What is wrong with a pattern, on one line: the library draws it below the pattern as it was compiled.
pub(in crate::carrier) fn pattern_problem(text: &str, error: &regex::Error) -> String {
    // As it is written, so that the column is the author's.
    let drawn = Regex::new(text).err().unwrap_or_else(|| error.clone()).to_string();
    let what = drawn.lines().last().unwrap_or_default().trim_start_matches("error: ");
    let under = drawn.lines().find(|line| line.trim_start().starts_with('^') && line.trim().bytes().all(|b| b == b'^'));
    let column = under.map(|line| line.len() - line.trim_start().len()).and_then(|blanks| blanks.checked_sub(3));
    let place = column.map_or_else(String::new, |column| format!(" at character {column}"));
    format!("{text:?} is no regular expression{place}: {what}")
}

/// `\d` and `\w` mean digits and letters of ASCII in a definition's patterns: carriers write no others, and the
/// classes of Unicode cost a hundred times as much to compile.
pub(in crate::carrier) fn ascii_classes(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() * 2);
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            (_, Some('d')) => out.push_str("[0-9]"),
            (_, Some('w')) => out.push_str("[0-9A-Za-z_]"),
            (c, escaped) => out.extend(std::iter::once(c).chain(escaped)),
        }
    }
    out
}

/// One way to check a number, or several of which one has to hold.
#[derive(Debug, Clone, Default)]
pub struct Checksum(pub Vec<CheckRule>);

/// The kinds of check. In all of them the last character of what is checked is the check character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// UPU S10: two letters, eight digits, check digit, two letters.
    S10,
    /// Weighted sum, complement to 10. Weights from the left unless `from = "right"`.
    Mod10,
    /// GS1: weights 3, 1, 3 ... from the right, complement to 10.
    Gs1,
    /// Luhn: weights 2, 1, 2 ... from the right, digits of products summed, complement to 10.
    Luhn,
    /// UPS: letters become digits, weights 1, 2, 1 ..., complement to 10; a leading `1Z` is not part of it.
    Mod10Ups,
    /// The digits as one number, remainder by 7.
    Mod7,
    /// Weighted sum, remainder by 11, remainder by 10.
    Mod11,
    /// ISO 7064 mod 37/36.
    #[serde(rename = "mod37_36")]
    Mod37_36,
}

/// How letters become digits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Letters {
    /// They do not: a letter fails the check.
    #[default]
    None,
    /// A is 2, B is 3 ... H is 9, I is 0: the place in the alphabet plus 1, last digit.
    Ups,
    /// A is 10, B is 11 ...
    Base36,
    /// As listed.
    Listed(BTreeMap<char, u32>),
}

/// What is checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Over {
    /// The whole number.
    #[default]
    Whole,
    /// A group of the pattern.
    Group(usize),
    /// Characters from and to, counted from 1, both included.
    Range(usize, usize),
}

/// One check.
#[derive(Debug, Clone)]
pub struct CheckRule {
    /// Its kind.
    pub kind: CheckKind,
    /// For `mod10` and `mod11`; they repeat.
    pub weights: Vec<u32>,
    /// Weights count from the check character on, not from the first one.
    pub from_right: bool,
    /// What is checked, check character included.
    pub over: Over,
    /// How letters become digits.
    pub letters: Letters,
    /// Put before what is checked unless it starts so.
    pub prefix: String,
    /// The digits of products are summed, not the products.
    pub product_digits: bool,
    /// The check is the complement to the modulus (default for `mod10`), or the remainder itself.
    pub complement: Option<bool>,
}

impl CheckRule {
    /// The check of this kind with everything as usual.
    #[must_use]
    pub fn of(kind: CheckKind) -> Self {
        Self {
            kind,
            weights: Vec::new(),
            from_right: false,
            over: Over::Whole,
            letters: Letters::None,
            prefix: String::new(),
            product_digits: false,
            complement: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    kind: CheckKind,
    #[serde(default)]
    weights: Vec<u32>,
    #[serde(default)]
    from: Side,
    #[serde(default)]
    over: Over,
    #[serde(default)]
    letters: Letters,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    product_digits: bool,
    #[serde(default)]
    check: Option<Check>,
}

#[derive(Deserialize, Default, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Side {
    #[default]
    Left,
    Right,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Check {
    Complement,
    Remainder,
}

impl TryFrom<RawRule> for CheckRule {
    type Error = String;

    fn try_from(raw: RawRule) -> Result<Self, String> {
        let needs_weights = matches!(raw.kind, CheckKind::Mod10 | CheckKind::Mod11);
        if needs_weights == raw.weights.is_empty() {
            return Err("mod10 and mod11 name their weights, the other kinds have their own".to_owned());
        }
        if raw.weights.iter().any(|weight| *weight > 1_000) {
            return Err("a weight above 1000".to_owned());
        }
        Ok(Self {
            kind: raw.kind,
            weights: raw.weights,
            from_right: raw.from == Side::Right,
            over: raw.over,
            letters: raw.letters,
            prefix: raw.prefix,
            product_digits: raw.product_digits,
            complement: raw.check.map(|check| check == Check::Complement),
        })
    }
}

impl<'de> Deserialize<'de> for CheckRule {
    fn deserialize<D: de::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = CheckRule;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of a check, or a table with its kind")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<CheckRule, E> {
                let kind = CheckKind::deserialize(de::value::StrDeserializer::<E>::new(name))?;
                if matches!(kind, CheckKind::Mod10 | CheckKind::Mod11) {
                    return Err(E::custom(format!("{name} needs weights: {{ kind = {name:?}, weights = [3, 1] }}")));
                }
                Ok(CheckRule::of(kind))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<CheckRule, A::Error> {
                let raw = RawRule::deserialize(de::value::MapAccessDeserializer::new(map))?;
                raw.try_into().map_err(de::Error::custom)
            }
        }
        d.deserialize_any(Read)
    }
}

impl<'de> Deserialize<'de> for Checksum {
    fn deserialize<D: de::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Checksum;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("\"none\", the name of a check, a table with its kind, or a list of these")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Checksum, E> {
                if name == "none" {
                    return Ok(Checksum::default());
                }
                let rule = CheckRule::deserialize(de::value::StrDeserializer::<E>::new(name))?;
                Ok(Checksum(vec![rule]))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Checksum, A::Error> {
                CheckRule::deserialize(de::value::MapAccessDeserializer::new(map)).map(|rule| Checksum(vec![rule]))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Checksum, A::Error> {
                let mut rules = Vec::new();
                while let Some(rule) = seq.next_element()? {
                    rules.push(rule);
                }
                Ok(Checksum(rules))
            }
        }
        d.deserialize_any(Read)
    }
}

impl<'de> Deserialize<'de> for Over {
    fn deserialize<D: de::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let value = toml::Value::deserialize(d)?;
        let range = |text: &str| {
            let (from, to) = text.split_once('-')?;
            let pair: (usize, usize) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
            (pair.0 >= 1 && pair.0 < pair.1).then_some(pair)
        };
        match &value {
            toml::Value::Integer(group) => usize::try_from(*group).ok().map(Self::Group),
            toml::Value::String(text) => range(text).map(|(from, to)| Self::Range(from, to)),
            _ => None,
        }
        .ok_or_else(|| de::Error::custom("over is the number of a group, or characters such as \"3-18\""))
    }
}

impl<'de> Deserialize<'de> for Letters {
    fn deserialize<D: de::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let value = toml::Value::deserialize(d)?;
        match &value {
            toml::Value::String(name) if name == "none" => Some(Self::None),
            toml::Value::String(name) if name == "ups" => Some(Self::Ups),
            toml::Value::String(name) if name == "base36" => Some(Self::Base36),
            toml::Value::Table(table) => table
                .iter()
                .map(|(letter, digit)| {
                    let mut letters = letter.chars();
                    let only = letters.next().filter(|_| letters.next().is_none())?;
                    Some((only, digit.as_integer().and_then(|d| u32::try_from(d).ok()).filter(|d| *d < 1_000)?))
                })
                .collect::<Option<_>>()
                .map(Self::Listed),
            _ => None,
        }
        .ok_or_else(|| de::Error::custom("letters is \"none\", \"ups\", \"base36\", or a table such as { A = 1 }"))
    }
}

fn yes() -> bool {
    true
}
