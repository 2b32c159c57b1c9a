//! What the types of the answer side cannot say: things that only make sense together.

use super::codes::{CodeLookup, LookupBody, LookupOf};
use super::{Format, SharedCodes};
use crate::carrier::definition::{AuthKind, Definition};

/// Key and sentence.
pub type Found = (String, String);

/// Puts the look-ups of shared files in the place of their includes. `shared` reads a file of `carriers/_shared/`.
///
/// # Errors
/// The key and a sentence, when there is no such file or it cannot be used.
pub fn resolve(definition: &mut Definition, shared: &dyn Fn(&str) -> Result<SharedCodes, String>) -> Result<(), Found> {
    let mut resolved = Vec::new();
    for (at, lookup) in std::mem::take(&mut definition.codes).into_iter().enumerate() {
        let key = || format!("codes[{at}].include");
        match &lookup.body {
            LookupBody::Include(name) => {
                let file = shared(name).map_err(|problem| (key(), problem))?;
                resolved.extend(included(&lookup, name, file.codes).map_err(|problem| (key(), problem))?);
            }
            _ => resolved.push(lookup),
        }
    }
    definition.codes = resolved;
    Ok(())
}

/// The look-ups of a shared file as one carrier uses them. One without `on` or `when` of its own takes those of the
/// include; `of` is the include's.
fn included(outer: &CodeLookup, name: &str, codes: Vec<CodeLookup>) -> Result<Vec<CodeLookup>, String> {
    let merge = |inner: CodeLookup| {
        if matches!(inner.body, LookupBody::Include(_)) {
            return Err(format!("the shared file {name:?} includes another one: that ends here"));
        }
        if outer.when.is_some() && inner.when.is_some() {
            return Err(format!("both the include of {name:?} and a look-up in it have a `when`"));
        }
        Ok(CodeLookup {
            of: outer.of,
            on: inner.on.or_else(|| outer.on.clone()),
            when: inner.when.or_else(|| outer.when.clone()),
            body: inner.body,
            reads_outside: inner.reads_outside || outer.reads_outside,
        })
    };
    codes.into_iter().map(merge).collect()
}

/// Collects everything that is wrong.
pub fn check(definition: &Definition, tell: &mut dyn FnMut(String, String)) {
    let answer = &definition.answer;
    if answer.echo && answer.number.is_none() {
        tell(
            "answer.number".into(),
            "is missing: where a parcel names its number; or echo = false, if it does not".into(),
        );
    }
    for (environment, _) in definition.limits.iter().filter(|(_, limits)| limits.numbers_per_call > 1) {
        if !answer.echo {
            let key = format!("limits.{environment}.numbers_per_call");
            tell(key, "an answer that names no number (echo = false) can be about one only".into());
        }
    }
    if answer.format == Format::Json && !answer.lists.is_empty() {
        tell("answer.lists".into(), "goes with format = \"xml\": JSON says itself what is a list".into());
    }
    let tokens = matches!(definition.auth.kind, AuthKind::Oauth2 | AuthKind::Login);
    for (at, _) in definition.outcome.iter().enumerate().filter(|(_, rule)| rule.refresh && !tokens) {
        tell(format!("outcome[{at}].refresh"), "there is no token to fetch again with this kind of auth".into());
    }
    for (at, rule) in definition.item_outcome.iter().enumerate() {
        if rule.refresh || rule.split {
            tell(format!("item_outcome[{at}]"), "refresh and split are about the whole call".into());
        }
    }
    for (at, path) in definition.drops.paths.iter().enumerate() {
        if path.is_empty() || path.split('.').any(|part| part.is_empty() || part.contains(['[', '|', ' '])) {
            tell(format!("drops.paths[{at}]"), "a plain dotted path; lists on the way are walked through".into());
        }
    }
    map(definition, tell);
    for (at, lookup) in definition.codes.iter().enumerate() {
        if let Some(problem) = without_source(definition, lookup) {
            tell(format!("codes[{at}].on"), problem.into());
        }
    }
}

fn map(definition: &Definition, tell: &mut dyn FnMut(String, String)) {
    let has_codes = |what: LookupOf| definition.codes.iter().any(|lookup| lookup.of.serves(what));
    if let Some(events) = &definition.map.events {
        if events.list.is_none() {
            tell("map.events.list".into(), "is missing: where the list of events is".into());
        }
        if events.time.0.is_empty() {
            tell("map.events.time".into(), "is missing: where the time of an event is".into());
        }
        if !has_codes(LookupOf::Event) {
            tell("codes".into(), "without a look-up no event moves the status".into());
        }
    } else if definition.map.headline.is_none() && !has_codes(LookupOf::Headline) {
        tell("map".into(), "neither events nor a headline: nothing would ever be told".into());
    }
}

fn without_source(definition: &Definition, lookup: &CodeLookup) -> Option<&'static str> {
    let map = &definition.map;
    let event = map.events.as_ref().is_some_and(|events| events.code.is_some());
    let headline = map.headline.as_ref().is_some_and(|headline| headline.on.is_some());
    let usual = match lookup.of {
        LookupOf::Event => event,
        LookupOf::Headline => headline,
        LookupOf::Both => event && headline,
    };
    (lookup.on.is_none() && !usual)
        .then_some("what is looked up; only where map.events.code or map.headline.on stand it may be left out")
}
