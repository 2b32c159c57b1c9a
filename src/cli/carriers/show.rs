//! `wismo carriers show`: what an operator needs to know of one.

use std::fmt::Write as _;
use std::time::Duration;

use crate::carrier::definition::{Limits, NumberFormat, Window};
use crate::carrier::{Carrier, Definition, Registry};
use crate::cli::{output, words};

/// Prints it.
pub fn show(registry: &Registry, carrier: &Carrier, as_json: bool) {
    if as_json {
        output::json(&super::described(registry, carrier));
        return;
    }
    let d = carrier.definition();
    output::line(format!(
        "{}{}",
        words::strong(&format!("{} ({})", d.name, d.code)),
        super::own(registry, d.code.as_str())
    ));
    about(carrier);
    let optional = |required: bool| if required { "" } else { ", optional" };
    let secret = |secret: bool| if secret { "secret" } else { "no secret" };
    let credentials = d.credentials.iter();
    section(
        "Credentials",
        credentials.map(|(name, c)| (format!("{name} ({}{})", secret(c.secret), optional(c.required)), c.help.clone())),
    );
    let inputs = d.inputs.iter();
    section(
        "Asked beside the number",
        inputs.map(|(name, i)| (format!("{name}{}", optional(i.required)), i.help.clone())),
    );
    let environments = d.environments.iter();
    section(
        "Environments",
        environments.flat_map(|(name, e)| {
            let tokens = e.auth_base_url.iter().map(move |url| (format!("{name}, tokens"), url.to_string()));
            std::iter::once((name.clone(), e.base_url.to_string())).chain(tokens)
        }),
    );
    section("Limits", d.limits.iter().map(|(name, limits)| (name.clone(), self::limits(limits))));
    section("Numbers", d.numbers.iter().map(numbers));
    section(
        "Numbers that play a story, also with an ending such as -7 (others of this shape are accepted, and rejected when polled)",
        d.scripts.iter().map(|s| (s.number.clone(), s.story.clone())),
    );
    let sources = d.facts.iter();
    section("Sources", sources.map(|f| (f.confidence.name().to_owned(), format!("{}: {}", f.what, f.source))));
    output::line(format!("\nIn the configuration\n{}", configuration(d)));
}

fn about(carrier: &Carrier) {
    let d = carrier.definition();
    let most = carrier.limits("default").numbers_per_call;
    let calls = format!("{}; {}", carrier.protocol(), output::count(most as usize, "number a call", "numbers a call"));
    let countries = if d.countries.is_empty() { "the whole world".to_owned() } else { d.countries.join(" ") };
    let mut lines = vec![("delivers to", countries), ("calls", calls), ("auth", carrier.auth_name().to_owned())];
    lines.push(("confidence", d.confidence.name().to_owned()));
    if !d.enabled {
        lines.push(("enabled", "no: only where an account names it".to_owned()));
    }
    if !d.aliases.is_empty() {
        lines.push(("also called", d.aliases.join(" ")));
    }
    lines.extend(d.zone.as_ref().map(|zone| ("zone", zone.name.clone())));
    lines.extend(d.public_url.as_ref().map(|page| ("page", page.to_string())));
    print(lines.into_iter().map(|(name, text)| (name.to_owned(), text)).collect());
}

/// The figures of one environment in words.
fn limits(limits: &Limits) -> String {
    let mut told = format!("{} calls a second, {} at once", limits.per_second, limits.concurrent);
    for window in &limits.windows {
        let _ = write!(told, ", {}", self::window(window));
    }
    if let Some(least) = limits.per_parcel {
        let _ = write!(told, ", one parcel at most every {}", length(least));
    }
    format!("{told} ({})", limits.source)
}

fn window(window: &Window) -> String {
    let reset = window.calendar.as_ref().map_or_else(String::new, |zone| format!(" by the calendar of {}", zone.name));
    format!("{} calls in {}{reset}", window.calls, length(window.per))
}

fn length(of: Duration) -> String {
    words::length(jiff::SignedDuration::try_from(of).unwrap_or(jiff::SignedDuration::MAX))
}

fn numbers(format: &NumberFormat) -> (String, String) {
    let checked = if format.checksum.0.is_empty() { "shape only" } else { "check digit" };
    let detected = if format.detect { "" } else { ", never guessed" };
    (format.name.clone(), format!("{checked}{detected}: {}", format.examples.join(", ")))
}

/// What an operator writes to use it.
fn configuration(d: &Definition) -> String {
    let code = &d.code;
    let mut text = format!("  [accounts.my_{code}]\n  carrier = \"{code}\"\n  shops = \"*\"");
    if d.environments.len() > 1 {
        let names: Vec<&str> = d.environments.keys().map(String::as_str).collect();
        let _ = write!(text, "\n  environment = \"{}\"    # {}", names[0], names.join(", "));
    }
    if !d.credentials.is_empty() {
        let _ = write!(text, "\n  [accounts.my_{code}.credentials]");
        for (name, credential) in &d.credentials {
            let mark = if credential.required { "" } else { "# " };
            let _ = write!(text, "\n  {mark}{name} = {{ credential = \"{code}-{name}\" }}");
        }
    }
    text
}

fn section(title: &str, lines: impl Iterator<Item = (String, String)>) {
    let lines: Vec<(String, String)> = lines.collect();
    if !lines.is_empty() {
        output::line(format!("\n{title}"));
        print(lines);
    }
}

fn print(lines: Vec<(String, String)>) {
    let widest = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, text) in lines {
        output::line(format!("  {name:<widest$}  {text}"));
    }
}
