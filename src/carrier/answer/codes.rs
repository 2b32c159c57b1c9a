//! Looks a carrier's codes and texts up. What no table knows is unmapped, and moves nothing.

use serde::Serialize;

use super::text::{SHORT, clean};
use crate::carrier::definition::Definition;
use crate::carrier::definition::answer::codes::{CodeEntry, CodeLookup, LookupBody, LookupOf};
use crate::carrier::expr::{Scope, Source, fold};
use crate::model::Meaning;

/// What the look-ups found.
#[derive(Debug, Default)]
pub struct Found {
    /// The meaning; nothing: unmapped.
    pub meaning: Option<Meaning>,
    /// The entry that hit; filled only when asked for.
    pub hit: Option<Hit>,
    /// What was tried; filled only when asked for.
    pub tried: Vec<Tried>,
}

/// One look-up that was tried.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tried {
    /// Its place among the definition's `[[codes]]`, from 0.
    pub lookup: usize,
    /// The source that it looked up.
    pub on: String,
    /// What that gave; nothing: absent.
    pub value: Option<String>,
    /// Whether it hit.
    pub hit: bool,
}

/// The entry of a look-up that hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The look-up, from 0.
    pub lookup: usize,
    /// Its entry or rule, from 0.
    pub entry: usize,
    /// The code, or the words that were found.
    pub name: String,
}

impl std::fmt::Display for Hit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "codes[{}] {}", self.lookup, self.name)
    }
}

/// What is asked of the look-ups.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Only look-ups that serve this are tried.
    pub what: LookupOf,
    /// The source for look-ups that have none of their own.
    pub usual: Option<&'a Source>,
    /// Their own sources are left aside.
    pub usual_only: bool,
    /// Note what was tried.
    pub explain: bool,
}

/// Tries the look-ups in order; the first that hits wins.
pub fn look_up(lookups: &[CodeLookup], asked: Asked<'_>, scope: &Scope<'_>) -> Found {
    let Asked { what, usual, usual_only, explain } = asked;
    let mut found = Found::default();
    for (at, lookup) in lookups.iter().enumerate().filter(|(_, lookup)| lookup.of.serves(what)) {
        if lookup.when.as_ref().is_some_and(|when| !when.holds(scope)) {
            continue;
        }
        let own = lookup.on.as_ref().filter(|_| !usual_only);
        let Some(source) = own.or(usual) else { continue };
        let value = source.text(scope);
        let hit = value.as_ref().and_then(|value| hit(&lookup.body, value, scope));
        if explain {
            let value = value.as_ref().and_then(|value| clean(value, SHORT));
            found.tried.push(Tried { lookup: at, on: source.to_string(), value, hit: hit.is_some() });
        }
        if let Some((meaning, entry, name)) = hit {
            found.meaning = Some(meaning);
            found.hit = explain.then(|| Hit { lookup: at, entry, name: name.to_owned() });
            break;
        }
    }
    found
}

fn hit<'l>(body: &'l LookupBody, value: &str, scope: &Scope<'_>) -> Option<(Meaning, usize, &'l str)> {
    let value = value.trim();
    match body {
        LookupBody::Table(table) => {
            let (at, code, entry) = table.get_full(value)?;
            Some((decide(entry, scope)?, at, code))
        }
        LookupBody::Integers(table) => {
            let (at, _, entry) = table.get_full(&integer(value)?)?;
            Some((decide(entry, scope)?, at, "by number"))
        }
        LookupBody::Text(rules) => {
            let folded = fold(value);
            let found = rules.found_in(&folded);
            rules.fitting(&found).find_map(|(at, rule)| {
                let words = rule.contains.iter().find(|word| folded.contains(word.as_str())).or(rule.all.first());
                Some((decide(&rule.is, scope)?, at, words.map_or("", String::as_str)))
            })
        }
        // Includes are replaced when a definition is loaded; one that is left knows nothing.
        LookupBody::Include(_) => None,
    }
}

/// Whether a scan of this code and text has a meaning whatever else it says: by a look-up of the event's own code or
/// description that asks for no more.
pub fn knows(definition: &Definition, code: &str, text: &str) -> bool {
    let Some(events) = &definition.map.events else { return false };
    let plain = |source: &Source| source.to_string().trim_start_matches("e.").to_owned();
    let (usual, words) = (events.code.as_ref().map(plain), events.description.as_ref().map(plain));
    let nothing = Scope::new();
    definition.codes.iter().filter(|lookup| lookup.of.serves(LookupOf::Event) && lookup.when.is_none()).any(|lookup| {
        let on = lookup.on.as_ref().map(plain).or_else(|| usual.clone());
        let asks = |source: &Option<String>| on.is_some() && on == *source;
        let value = if asks(&usual) { code } else { text };
        (asks(&usual) || asks(&words)) && !value.is_empty() && hit(&lookup.body, value, &nothing).is_some()
    })
}

/// Digits only: `+3` and ` 3` of a carrier are something that its documents do not name.
fn integer(value: &str) -> Option<i64> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then(|| value.parse().ok())?
}

fn decide(entry: &CodeEntry, scope: &Scope<'_>) -> Option<Meaning> {
    let case = entry.cases.iter().find(|(when, _)| when.holds(scope)).map(|(_, meaning)| *meaning);
    case.or(entry.otherwise)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Rule, Substatus};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const LOOKUPS: &str = r#"
        [[codes]]
        on = "e.label"
        text = [{ contains = ["incident", "avarie"], without = ["sans incident"], is = "on_hold" }]
        [[codes]]
        on = "e.detail"
        as = "integer"
        table = { "003" = "label_created", "011" = "delivered" }
        [[codes]]
        on = "e.code"
        when = "p.live"
        [codes.table]
        AG1 = [{ when = "p.type == 'A2P'", is = "at_pickup_point" }, "at_post_office"]
        RV = "revoke"
        SMS = "note"
        ODD = [{ when = "p.never", is = "lost" }]
    "#;

    #[derive(serde::Deserialize)]
    struct Codes {
        codes: Vec<CodeLookup>,
    }

    fn meaning(p: &Value, e: &Value) -> Option<Meaning> {
        let codes: Codes = toml::from_str(LOOKUPS).unwrap();
        let scope = Scope::new().with("p", p).with("e", e).focus(e);
        let asked = Asked { what: LookupOf::Event, usual: None, usual_only: false, explain: true };
        look_up(&codes.codes, asked, &scope).meaning
    }

    const fn moves(substatus: Substatus) -> Meaning {
        Meaning::Moves(substatus, Rule::Plain)
    }

    #[test]
    fn the_first_hit_wins() {
        let p = json!({"live": true});
        for (e, expected) in [
            (json!({"label": "Incident sur le colis", "detail": "003"}), Some(moves(Substatus::OnHold))),
            (json!({"label": "Livré sans INCIDENT", "detail": "11"}), Some(moves(Substatus::Delivered))),
            (json!({"detail": 3, "code": "SMS"}), Some(moves(Substatus::LabelCreated))),
            (json!({"detail": "999", "code": "SMS"}), Some(Meaning::Note)),
            (json!({"code": "RV"}), Some(Meaning::Moves(Substatus::InTransit, Rule::Revoke))),
            (json!({"code": "AG1"}), Some(moves(Substatus::AtPostOffice))),
            (json!({"code": "ODD"}), None),
            (json!({"code": "ag1"}), None),
        ] {
            assert_eq!(meaning(&p, &e), expected, "{e}");
        }
        assert_eq!(
            meaning(&json!({"live": true, "type": "A2P"}), &json!({"code": "AG1"})),
            Some(moves(Substatus::AtPickupPoint))
        );
        assert_eq!(meaning(&json!({}), &json!({"code": "AG1"})), None, "the guard does not hold");
    }

    proptest! {
        #[test]
        fn an_unknown_code_never_gives_a_status(code in "\\PC{0,12}", detail in "\\PC{0,6}") {
            let known = matches!(code.trim(), "AG1" | "RV" | "SMS" | "ODD");
            let detail_known = integer(detail.trim()).is_some_and(|n| n == 3 || n == 11);
            prop_assume!(!known && !detail_known);
            let e = json!({"code": code, "detail": detail, "label": "nothing that we know"});
            prop_assert_eq!(meaning(&json!({"live": true}), &e), None);
        }
    }
}
