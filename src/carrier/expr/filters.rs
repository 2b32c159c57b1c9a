//! The filters of the definition language beside minijinja's own.
//!
//! Each takes text or bytes; what is absent stays absent, so `e.time | digits | zfill(6)` of a missing time is
//! missing and not `000000`. Digests give bytes; `hex` and `base64` write them.
#![expect(clippy::needless_pass_by_value, reason = "the engine hands its values over")]

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use md5::Md5;
use minijinja::value::{Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value as Engine};
use regex::Regex;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::{text, values};

/// The longest text that a filter may build.
const MAX_TEXT: usize = 4 << 20;

pub(super) fn add_to(env: &mut Environment<'static>) {
    digests(env);
    encodings(env);
    for (name, change) in OF_TEXT {
        of_text(env, name, *change);
    }
    env.add_filter("zfill", |value: Engine, width: usize| map_text(&value, |t| Some(zfill(t, width))));
    env.add_filter("slice", |value: Engine, from: i64, to: Option<i64>| map_text(&value, |t| Some(slice(t, from, to))));
    env.add_filter("find", find);
    env.add_filter("flat", flat);
    env.add_filter("json", to_json_text);
    env.add_filter("fromjson", |value: Engine| parse_json(&value));
    env.add_filter("jwt_claims", jwt_claims);
    env.add_filter("strftime", strftime);
}

/// From text to text; nothing: absent.
pub(super) type Change = fn(&str) -> Option<String>;

/// The filters that make text of text, for the engine and without it.
pub(super) const OF_TEXT: &[(&str, Change)] = &[
    ("digits", |t| Some(t.chars().filter(char::is_ascii_digit).collect())),
    ("upper", |t| Some(t.to_uppercase())),
    ("lower", |t| Some(t.to_lowercase())),
    ("fold", |t| Some(text::fold(t))),
    ("plain", |t| Some(text::plain(t))),
    ("iso2", |t| text::lookup_country(t).map(str::to_owned)),
];

fn digests(env: &mut Environment<'static>) {
    env.add_filter("md5", |value: Engine| Engine::from_bytes(Md5::digest(bytes(&value)).to_vec()));
    env.add_filter("sha1", |value: Engine| Engine::from_bytes(Sha1::digest(bytes(&value)).to_vec()));
    env.add_filter("sha256", |value: Engine| Engine::from_bytes(Sha256::digest(bytes(&value)).to_vec()));
    env.add_filter("sha512", |value: Engine| Engine::from_bytes(Sha512::digest(bytes(&value)).to_vec()));
    env.add_filter("hmac_sha256", |value: Engine, key: Engine| {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&bytes(&key)).map_err(|_| refused("no key"))?;
        mac.update(&bytes(&value));
        Ok::<_, Error>(Engine::from_bytes(mac.finalize().into_bytes().to_vec()))
    });
    env.add_filter("hmac_sha1", |value: Engine, key: Engine| {
        let mut mac = <Hmac<Sha1> as KeyInit>::new_from_slice(&bytes(&key)).map_err(|_| refused("no key"))?;
        mac.update(&bytes(&value));
        Ok::<_, Error>(Engine::from_bytes(mac.finalize().into_bytes().to_vec()))
    });
}

fn encodings(env: &mut Environment<'static>) {
    env.add_filter("hex", |value: Engine| known(&value, || HEXLOWER.encode(&bytes(&value))));
    env.add_filter("base64", |value: Engine| known(&value, || BASE64.encode(&bytes(&value))));
    env.add_filter("unbase64", |value: Engine| {
        let raw = BASE64.decode(values::text(&value).trim().as_bytes());
        raw.map_or(Engine::UNDEFINED, Engine::from_bytes)
    });
    env.add_filter("latin1", |value: Engine| {
        let to_byte = |c| u8::try_from(u32::from(c)).unwrap_or(b'?');
        Engine::from_bytes(values::text(&value).chars().map(to_byte).collect())
    });
    env.add_filter("urlencode", |value: Engine| known(&value, || percent(&bytes(&value), b"-_.~", false)));
    env.add_filter("urlencode_java", |value: Engine| known(&value, || percent(&bytes(&value), b"-_.*", true)));
    of_text(env, "xml", |t| Some(xml(t)));
}

fn of_text(env: &mut Environment<'static>, name: &'static str, change: Change) {
    env.add_filter(name, move |value: Engine| map_text(&value, change));
}

fn map_text(value: &Engine, change: impl FnOnce(&str) -> Option<String>) -> Engine {
    if is_absent(value) {
        return Engine::UNDEFINED;
    }
    change(&values::text(value)).map_or(Engine::UNDEFINED, Engine::from)
}

fn known(value: &Engine, make: impl FnOnce() -> String) -> Engine {
    if value.is_undefined() || value.is_none() { Engine::UNDEFINED } else { Engine::from(make()) }
}

fn is_absent(value: &Engine) -> bool {
    value.is_undefined() || value.is_none() || value.as_str().is_some_and(|t| t.trim().is_empty())
}

fn refused(why: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, why)
}

/// The bytes of bytes, and of anything else its text in UTF-8.
fn bytes(value: &Engine) -> Vec<u8> {
    match (value.as_str(), value.as_bytes()) {
        (None, Some(bytes)) => bytes.to_vec(),
        _ => values::text(value).into_bytes(),
    }
}

fn percent(bytes: &[u8], kept: &[u8], plus_for_blank: bool) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for &byte in bytes {
        match byte {
            b' ' if plus_for_blank => out.push('+'),
            _ if byte.is_ascii_alphanumeric() || kept.contains(&byte) => out.push(char::from(byte)),
            _ => {
                out.push('%');
                out.push_str(&data_encoding::HEXUPPER.encode(&[byte]));
            }
        }
    }
    out
}

/// The text as XML content or attribute value; characters that XML cannot hold are dropped.
pub(in crate::carrier) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' | '\r' => out.push(c),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

pub(super) fn zfill(text: &str, width: usize) -> String {
    let missing = width.min(MAX_TEXT).saturating_sub(text.chars().count());
    "0".repeat(missing) + text
}

/// Characters `from` to `to`, as Python counts them.
pub(super) fn slice(text: &str, from: i64, to: Option<i64>) -> String {
    let chars: Vec<char> = text.chars().collect();
    let len = i64::try_from(chars.len()).unwrap_or(i64::MAX);
    let at = |n: i64| usize::try_from(if n < 0 { n.saturating_add(len).max(0) } else { n.min(len) }).unwrap_or(0);
    let (from, to) = (at(from), at(to.unwrap_or(len)));
    chars.get(from..to).map(|part| part.iter().collect()).unwrap_or_default()
}

/// The first group of a pattern in a text, or all that matched where it has none.
fn find(value: Engine, pattern: &str) -> Result<Engine, Error> {
    if is_absent(&value) {
        return Ok(Engine::UNDEFINED);
    }
    let regex = regex_of(pattern)?;
    Ok(found(&regex, &values::text(&value)).map_or(Engine::UNDEFINED, Engine::from))
}

/// The items of the lists in a list; what is no list stays, what is absent is left out.
fn flat(value: Engine) -> Vec<Engine> {
    let items = |value: &Engine| match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => value.try_iter().map(Iterator::collect).unwrap_or_default(),
        ValueKind::Undefined | ValueKind::None => Vec::new(),
        _ => vec![value.clone()],
    };
    let mut all: Vec<Engine> = items(&value).iter().flat_map(items).collect();
    all.retain(|item| !item.is_undefined() && !item.is_none());
    all
}

pub(super) fn found<'t>(regex: &Regex, text: &'t str) -> Option<&'t str> {
    regex.captures(text).and_then(|found| found.get(1).or_else(|| found.get(0))).map(|found| found.as_str())
}

/// Compiled patterns are kept: a definition holds few, and an event asks for each of them again.
fn regex_of(pattern: &str) -> Result<Regex, Error> {
    use std::collections::HashMap;
    use std::sync::{LazyLock, Mutex, PoisonError};
    static KEPT: LazyLock<Mutex<HashMap<String, Regex>>> = LazyLock::new(Mutex::default);
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = kept.get(pattern) {
        return Ok(regex.clone());
    }
    let regex = Regex::new(pattern).map_err(|_| refused("no regular expression"))?;
    if kept.len() < 1_000 {
        kept.insert(pattern.to_owned(), regex.clone());
    }
    Ok(regex)
}

fn to_json_text(value: Engine) -> Result<Engine, Error> {
    let json = values::to_json(&value).unwrap_or(serde_json::Value::Null);
    serde_json::to_string(&json).map(Engine::from).map_err(|_| refused("no JSON"))
}

fn parse_json(value: &Engine) -> Engine {
    let parsed = serde_json::from_str(&values::text(value));
    parsed.map_or(Engine::UNDEFINED, |json| values::from_json(&json))
}

fn jwt_claims(value: Engine) -> Engine {
    let token = values::text(&value);
    let claims = token.split('.').nth(1).map(|part| part.trim_end_matches('='));
    let raw = claims.and_then(|part| BASE64URL_NOPAD.decode(part.as_bytes()).ok());
    let json = raw.and_then(|raw| serde_json::from_slice(&raw).ok());
    json.map_or(Engine::UNDEFINED, |json| values::from_json(&json))
}

/// Seconds since the epoch as text, in UTC or a named zone.
fn strftime(seconds: i64, format: &str, zone: Rest<String>) -> Result<Engine, Error> {
    let zone = match zone.first() {
        Some(name) => TimeZone::get(name).map_err(|_| refused("no such time zone"))?,
        None => TimeZone::UTC,
    };
    let at = Timestamp::from_second(seconds).map_err(|_| refused("out of time"))?.to_zoned(zone);
    jiff::fmt::strtime::format(format, &at).map(Engine::from).map_err(|_| refused("no time format"))
}

/// Everything but letters, digits and `-_.~` as `%XX`.
pub(in crate::carrier) fn percent_encode(text: &str) -> String {
    percent(text.as_bytes(), b"-_.~", false)
}
