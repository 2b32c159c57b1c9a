//! What people paste where a number is asked: the number itself, or the address of a page about it.

use super::numbers::{LONGEST, NumberProblem};

/// The longest text (an address, most likely) that is searched for a number.
const LONGEST_TEXT: usize = 2_000;

/// A pasted text, cut into the parts in which a number may stand.
#[derive(Debug)]
pub(super) struct Pasted {
    /// The host of an address, without `www.`; nothing where the text is no address.
    host: Option<String>,
    parts: Vec<Part>,
}

/// One part: the value of a parameter has a name.
#[derive(Debug)]
struct Part {
    name: Option<String>,
    text: String,
}

/// Where a carrier shows a parcel to people, as far as its template tells without a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    host: String,
    /// The parameter that holds the number.
    parameter: Option<String>,
}

impl Page {
    /// Nothing where the host itself depends on the parcel.
    pub(super) fn of_template(template: &str) -> Option<Self> {
        let (_, rest) = template.split_once("://")?;
        let host = rest.split(['/', '?', '#']).next()?;
        if host.is_empty() || host.contains(['{', '}']) {
            return None;
        }
        let number = template.split_once("{{").filter(|(_, after)| after.trim_start().starts_with("number"));
        let parameter = number.and_then(|(before, _)| before.strip_suffix('=')).and_then(|before| {
            let name = before.rsplit(['?', '&', '#', '/']).next()?;
            (!name.is_empty()).then(|| name.to_ascii_lowercase())
        });
        Some(Self { host: bare(host), parameter })
    }
}

/// Hosts are compared without regard to case, to `www.` and to a port.
fn bare(host: &str) -> String {
    let lower = host.rsplit('@').next().unwrap_or(host).to_ascii_lowercase();
    let name = lower.split(':').next().unwrap_or_default();
    name.strip_prefix("www.").unwrap_or(name).to_owned()
}

impl Pasted {
    pub(super) fn read(raw: &str) -> Result<Self, NumberProblem> {
        let raw = raw.trim();
        if raw.is_empty() {
            return Err(NumberProblem::Empty);
        }
        let is_address = raw.contains("://") || raw.to_ascii_lowercase().starts_with("www.");
        let longest = if is_address { LONGEST_TEXT } else { LONGEST * 2 };
        if raw.len() > longest {
            return Err(NumberProblem::Long(raw.chars().count()));
        }
        if !is_address {
            return Ok(Self { host: None, parts: vec![Part { name: None, text: raw.to_owned() }] });
        }
        let after = raw.split_once("://").map_or(raw, |(_, rest)| rest);
        let (host, tail) = after.split_once(['/', '?', '#']).unwrap_or((after, ""));
        let parts = tail.split(['/', '?', '&', '#', '!', ';', ',']).map(part);
        let parts: Vec<Part> = parts.filter(|part| part.text.bytes().any(|b| b.is_ascii_digit())).collect();
        if parts.is_empty() { Err(NumberProblem::Empty) } else { Ok(Self { host: Some(bare(host)), parts }) }
    }

    /// Whether it is the address of this page.
    pub(super) fn is_at(&self, page: Option<&Page>) -> bool {
        page.is_some_and(|page| self.host.as_ref() == Some(&page.host))
    }

    /// The texts in which a number may stand. At a carrier's own page, its parameter for the number is taken at its
    /// word.
    pub(super) fn texts(&self, page: Option<&Page>) -> impl Iterator<Item = &str> {
        let wanted = page.filter(|page| self.is_at(Some(page))).and_then(|page| page.parameter.as_deref());
        let named = move |part: &Part| part.name.is_some() && part.name.as_deref() == wanted;
        let only = self.parts.iter().any(named);
        self.parts.iter().filter(move |part| !only || named(part)).map(|part| part.text.as_str())
    }
}

fn part(text: &str) -> Part {
    let (name, value) = text.split_once('=').map_or((None, text), |(name, value)| (Some(name), value));
    Part { name: name.map(str::to_ascii_lowercase), text: unescape(value) }
}

fn unescape(part: &str) -> String {
    // As the value of a pair without a name: a `=` of its own stays what it is.
    let pair = format!("={part}");
    let read = url::form_urlencoded::parse(pair.as_bytes()).next();
    read.map_or_else(String::new, |(_, text)| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(raw: &str, template: &str) -> Vec<String> {
        let page = Page::of_template(template);
        Pasted::read(raw).unwrap().texts(page.as_ref()).map(str::to_owned).collect()
    }

    #[test]
    fn a_number_stands_in_the_path_the_query_or_the_fragment() {
        assert_eq!(texts("https://a.example/t/6A%201?x=2#/n=3&nothing", ""), ["6A 1", "2", "3"]);
        assert_eq!(texts("WWW.a.example/t/77", ""), ["77"]);
        assert_eq!(texts(" 6A 1 ", ""), ["6A 1"]);
        assert!(matches!(Pasted::read("https://a.example/track"), Err(NumberProblem::Empty)));
    }

    #[test]
    fn a_carriers_own_page_says_which_parameter_it_is() {
        let template = "https://www.a.example/suivi?code={{ number | urlencode }}&lang={{ language }}";
        let pasted = "http://A.example/suivi?postcode=75001&Code=123";
        assert_eq!(texts(pasted, template), ["123"]);
        assert_eq!(texts("https://b.example/suivi?postcode=75001&code=123", template), ["75001", "123"]);
        assert_eq!(texts("https://a.example/other/9", template), ["9"], "the parameter is not there");
        assert_eq!(Page::of_template("https://{{ country }}.a.example/{{ number }}"), None);
        assert_eq!(Page::of_template("https://a.example/{{ number }}").unwrap().parameter, None);
    }
}
