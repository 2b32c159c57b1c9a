//! `[[codes]]`: what a carrier's codes and texts mean.

use indexmap::{IndexMap, IndexSet};
use regex::{RegexSet, SetMatches};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::carrier::expr::{Condition, Source, fold};
use crate::model::{Meaning, Rule, Status, Substatus};

/// What a look-up is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookupOf {
    /// Events.
    #[default]
    Event,
    /// The parcel as a whole.
    Headline,
    /// Both.
    Both,
}

impl LookupOf {
    /// Whether it is asked for this.
    pub fn serves(self, what: Self) -> bool {
        self == Self::Both || self == what
    }
}

/// One look-up. They are tried in the order of the file; the first that hits wins.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawLookup")]
pub struct CodeLookup {
    /// What it is for.
    pub of: LookupOf,
    /// The value that is looked up; absent: the code of the event, or the value of the headline.
    pub on: Option<Source>,
    /// It is tried only where this holds.
    pub when: Option<Condition>,
    /// Where it looks.
    pub body: LookupBody,
    /// It reads outside the parcel's own node.
    pub reads_outside: bool,
}

/// Where a [`CodeLookup`] looks.
#[derive(Debug, Clone)]
pub enum LookupBody {
    /// A table of codes.
    Table(IndexMap<String, CodeEntry>),
    /// A table of whole numbers: `003` is `3`.
    Integers(IndexMap<i64, CodeEntry>),
    /// Rules over text, in order.
    Text(TextRules),
    /// A shared file of this name; replaced when the definition is loaded.
    Include(String),
}

impl LookupBody {
    /// How many codes or rules it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Table(table) => table.len(),
            Self::Integers(table) => table.len(),
            Self::Text(rules) => rules.rules.len(),
            Self::Include(_) => 0,
        }
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum CompareAs {
    Integer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLookup {
    #[serde(default)]
    of: LookupOf,
    on: Option<Source>,
    when: Option<Condition>,
    r#as: Option<CompareAs>,
    table: Option<IndexMap<String, CodeEntry>>,
    text: Option<Vec<TextRule>>,
    include: Option<String>,
}

impl TryFrom<RawLookup> for CodeLookup {
    type Error = String;

    fn try_from(raw: RawLookup) -> Result<Self, String> {
        let RawLookup { of, on, when, r#as, table, text, include } = raw;
        let integers = r#as.is_some();
        let body = match (table, text, include) {
            (Some(table), None, None) => table_body(table, integers)?,
            (None, Some(rules), None) if !integers => LookupBody::Text(TextRules::new(rules)?),
            (None, None, Some(name)) if !integers => LookupBody::Include(name),
            (None, ..) if integers => return Err("as = \"integer\" goes with a table".to_owned()),
            _ => return Err("a look-up has exactly one of table, text, include".to_owned()),
        };
        let reads_outside = super::mentions_outside(&(&on, &when, &body));
        Ok(Self { of, on, when, body, reads_outside })
    }
}

fn table_body(table: IndexMap<String, CodeEntry>, integers: bool) -> Result<LookupBody, String> {
    for code in table.keys() {
        if matches!(code.trim(), "" | "*" | "%" | ".*" | "default" | "_") {
            return Err(format!("the code {code:?} would match everything: an unknown code moves no status"));
        }
    }
    if !integers {
        return Ok(LookupBody::Table(table.into_iter().map(|(code, entry)| (code.trim().to_owned(), entry)).collect()));
    }
    let mut numbers = IndexMap::with_capacity(table.len());
    for (code, entry) in table {
        let number = code.trim().parse().map_err(|_| format!("{code:?} is no whole number"))?;
        if numbers.insert(number, entry).is_some() {
            return Err(format!("{code:?} stands twice, as {number}"));
        }
    }
    Ok(LookupBody::Integers(numbers))
}

/// What one code or text means.
#[derive(Debug, Clone)]
pub struct CodeEntry {
    /// Meanings that hold under a condition; the first that holds wins.
    pub cases: Vec<(Condition, Meaning)>,
    /// The meaning otherwise; nothing: no hit.
    pub otherwise: Option<Meaning>,
}

impl From<Meaning> for CodeEntry {
    fn from(meaning: Meaning) -> Self {
        Self { cases: Vec::new(), otherwise: Some(meaning) }
    }
}

fn meaning_of(word: &str) -> Result<Meaning, String> {
    match word {
        "note" => return Ok(Meaning::Note),
        "revoke" => return Ok(Meaning::Moves(Substatus::InTransit, Rule::Revoke)),
        _ => {}
    }
    let substatus: Substatus = word.parse().map_err(|unknown| match nearest(word) {
        Some(near) => format!("{unknown}; did you mean {near:?}?"),
        None => format!("{unknown} (docs/changes.md#substatuses lists them)"),
    })?;
    if matches!(substatus.status(), Status::Pending | Status::Expired) {
        return Err(format!("{word:?} is set by wismo, never by a carrier; use \"note\" for what is no progress"));
    }
    Ok(Meaning::Moves(substatus, Rule::Plain))
}

/// The name of a substatus that a misspelt one may have meant.
fn nearest(word: &str) -> Option<&'static str> {
    let of = |name: &&'static str| {
        let common = |a: &str, b: &str| a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
        let reversed = |text: &str| text.chars().rev().collect::<String>();
        common(word, name) + common(&reversed(word), &reversed(name))
    };
    let best = Substatus::ALL.iter().map(|substatus| substatus.name()).max_by_key(of)?;
    (of(&best) * 2 > word.len()).then_some(best)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    when: Option<Condition>,
    #[serde(alias = "is")]
    to: String,
    #[serde(default)]
    revoke: bool,
    #[serde(default)]
    advance_only: bool,
}

impl RawEntry {
    fn meaning(&self) -> Result<Meaning, String> {
        let rule = match (self.revoke, self.advance_only) {
            (false, false) => return meaning_of(&self.to),
            (true, false) => Rule::Revoke,
            (false, true) => Rule::AdvanceOnly,
            (true, true) => return Err("revoke and advance_only exclude each other".to_owned()),
        };
        match meaning_of(&self.to)? {
            Meaning::Moves(substatus, _) => Ok(Meaning::Moves(substatus, rule)),
            _ => Err("a note neither revokes nor advances".to_owned()),
        }
    }
}

impl<'de> Deserialize<'de> for CodeEntry {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = CodeEntry;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a substatus, \"note\", \"revoke\", { to = .. } or a list of cases")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<CodeEntry, E> {
                meaning_of(word).map(CodeEntry::from).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CodeEntry, A::Error> {
                let raw = RawEntry::deserialize(de::value::MapAccessDeserializer::new(map))?;
                let meaning = raw.meaning().map_err(de::Error::custom)?;
                Ok(match raw.when {
                    Some(when) => CodeEntry { cases: vec![(when, meaning)], otherwise: None },
                    None => meaning.into(),
                })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<CodeEntry, A::Error> {
                let mut all = CodeEntry { cases: Vec::new(), otherwise: None };
                while let Some(next) = list.next_element::<CodeEntry>()? {
                    if all.otherwise.is_some() {
                        return Err(de::Error::custom(
                            "an entry without `when` ends the list: nothing after it is tried",
                        ));
                    }
                    all.cases.extend(next.cases);
                    all.otherwise = next.otherwise;
                }
                Ok(all)
            }
        }
        d.deserialize_any(Reader)
    }
}

/// A rule over a text, compared without accents, case and doubled blanks.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawTextRule")]
pub struct TextRule {
    /// Any of these is contained (folded); empty: not asked.
    pub contains: Vec<String>,
    /// Each of these is contained (folded).
    pub all: Vec<String>,
    /// None of these is contained (folded).
    pub without: Vec<String>,
    /// What it means.
    pub is: CodeEntry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTextRule {
    #[serde(default)]
    contains: Vec<String>,
    #[serde(default)]
    all: Vec<String>,
    #[serde(default)]
    without: Vec<String>,
    is: CodeEntry,
}

impl TryFrom<RawTextRule> for TextRule {
    type Error = String;

    fn try_from(raw: RawTextRule) -> Result<Self, String> {
        if raw.contains.is_empty() && raw.all.is_empty() {
            return Err("a text rule without contains or all would match everything".to_owned());
        }
        let folded = |words: Vec<String>| {
            words
                .into_iter()
                .map(|word| {
                    let plain = fold(&word);
                    if plain.chars().any(char::is_alphanumeric) {
                        Ok(plain)
                    } else {
                        Err(format!("the text {word:?} would match everything"))
                    }
                })
                .collect::<Result<Vec<_>, String>>()
        };
        Ok(Self { contains: folded(raw.contains)?, all: folded(raw.all)?, without: folded(raw.without)?, is: raw.is })
    }
}

/// Rules over a text, with all their words in one pattern, so that a text is read once however many there are.
#[derive(Debug, Clone)]
pub struct TextRules {
    rules: Vec<(TextRule, Places)>,
    words: RegexSet,
}

/// Where the words of a rule stand in the pattern.
#[derive(Debug, Clone)]
struct Places {
    contains: Vec<usize>,
    all: Vec<usize>,
    without: Vec<usize>,
}

impl TextRules {
    fn new(rules: Vec<TextRule>) -> Result<Self, String> {
        let mut words: IndexSet<String> = IndexSet::new();
        let mut places = |of: &[String]| of.iter().map(|word| words.insert_full(word.clone()).0).collect();
        let rules = rules
            .into_iter()
            .map(|rule| {
                let (contains, all, without) = (places(&rule.contains), places(&rule.all), places(&rule.without));
                (rule, Places { contains, all, without })
            })
            .collect();
        let words = RegexSet::new(words.iter().map(|word| regex::escape(word))).map_err(|error| error.to_string())?;
        Ok(Self { rules, words })
    }

    /// Which words are in a folded text.
    pub fn found_in(&self, folded: &str) -> SetMatches {
        self.words.matches(folded)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &TextRule> {
        self.rules.iter().map(|(rule, _)| rule)
    }

    /// The rules that fit a text with these words, in their order, each with its place.
    pub fn fitting<'r>(&'r self, found: &SetMatches) -> impl Iterator<Item = (usize, &'r TextRule)> {
        let has = |at: &usize| found.matched(*at);
        let fits = move |places: &Places| {
            (places.contains.is_empty() || places.contains.iter().any(has))
                && places.all.iter().all(has)
                && !places.without.iter().any(has)
        };
        self.rules.iter().enumerate().filter(move |(_, (_, places))| fits(places)).map(|(at, (rule, _))| (at, rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<CodeLookup, String> {
        toml::from_str(text).map_err(|problem| problem.to_string())
    }

    #[test]
    fn catch_alls_are_refused() {
        for text in [
            "on='e.x'\ntable={'*'='in_transit'}",
            "on='e.x'\ntable={''='in_transit'}",
            "on='e.x'\ntext=[{contains=[''],is='in_transit'}]",
            "on='e.x'\ntext=[{contains=[' - '],is='in_transit'}]",
            "on='e.x'\ntext=[{is='in_transit'}]",
        ] {
            let problem = load(text).unwrap_err();
            assert!(problem.contains("match everything"), "{problem}");
        }
    }

    #[test]
    fn statuses_of_ours_are_refused_and_misspelt_ones_are_told() {
        assert!(load("on='e.x'\ntable={A='no_update'}").unwrap_err().contains("never by a carrier"));
        assert!(load("on='e.x'\ntable={A='deliverd'}").unwrap_err().contains("did you mean \"delivered\""));
        assert!(load("on='e.x'\ntable={A={to='delivered',revoked=true}}").is_err());
        assert!(load("on='e.x'\nas='integer'\ntable={'003'='delivered','3'='signed'}").unwrap_err().contains("twice"));
    }

    #[test]
    fn entries_are_read_in_all_their_forms() {
        let lookup = load(
            "on='e.x'\n[table]\nA='note'\nB='revoke'\nC={to='in_transit',advance_only=true}\nD=[{when='e.y',is='signed'},'delivered']",
        )
        .unwrap();
        let LookupBody::Table(table) = lookup.body else { panic!("a table") };
        assert_eq!(table["A"].otherwise, Some(Meaning::Note));
        assert_eq!(table["B"].otherwise, Some(Meaning::Moves(Substatus::InTransit, Rule::Revoke)));
        assert_eq!(table["C"].otherwise, Some(Meaning::Moves(Substatus::InTransit, Rule::AdvanceOnly)));
        assert_eq!(table["D"].cases.len(), 1);
        assert!(load("on='e.x'\ntable={A=['delivered','signed']}").is_err());
    }
}
