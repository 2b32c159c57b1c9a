//! What a value is, by the names that lead to it and by its look.

use std::sync::LazyLock;

use regex::Regex;

/// How a value is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// By this.
    Fixed(&'static str, &'static str),
    /// By other letters and digits.
    Reshaped(&'static str),
}

const PHONES: &[&str] = &["phone", "tel", "telephone", "mobile", "fax", "gsm", "cell", "cellphone", "msisdn"];
const STREETS: &[&str] = &[
    "street",
    "streetname",
    "streetlines",
    "address",
    "addressline",
    "addresslines",
    "addr",
    "rue",
    "adresse",
    "calle",
    "strasse",
    "indirizzo",
    "house",
    "housenumber",
    "building",
    "apartment",
    "door",
    "line",
    "lines",
];
const TOKENS: &[&str] = &["token", "secret", "password", "apikey", "jwt", "bearer", "sessionid"];
const PLACES: &[&str] = &["latitude", "longitude", "lat", "lng", "lon"];
const PEOPLE: &[&str] = &[
    "recipient",
    "receiver",
    "consignee",
    "addressee",
    "shipper",
    "sender",
    "consignor",
    "contact",
    "person",
    "customer",
    "signatory",
    "signee",
    "signer",
    "destinataire",
    "expediteur",
    "client",
    "neighbour",
    "neighbor",
    "driver",
    "buyer",
    "seller",
];
const NAMES: &[&str] = &["name", "names", "nom", "prenom", "company", "attention", "person"];
const WHOLE_NAMES: &[&str] = &[
    "firstname",
    "lastname",
    "surname",
    "familyname",
    "givenname",
    "middlename",
    "fullname",
    "signedby",
    "signedforby",
    "signedforbyname",
    "receivedby",
    "receivedbyname",
    "recipientname",
    "receivername",
    "consigneename",
    "sendername",
    "shippername",
    "contactname",
    "customername",
    "personname",
    "podname",
    "signatory",
    "signee",
    "acceptedby",
];
const REFERENCES: &[&str] = &["reference", "references", "ref", "order", "invoice", "customer", "account", "po"];
const TIMES: &[&str] =
    &["date", "time", "datetime", "timestamp", "at", "on", "code", "epoch", "status", "created", "updated", "eta"];

/// The words of a key: `receiverPhone_no1` is receiver, phone, no, 1.
fn words(key: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for c in key.chars() {
        let starts = (c.is_uppercase() && !before.is_uppercase()) || (c.is_ascii_digit() != before.is_ascii_digit());
        if !c.is_alphanumeric() {
            before = ' ';
            continue;
        }
        if before == ' ' || starts || words.is_empty() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words
}

fn any_of(words: &[String], known: &[&str]) -> bool {
    words.iter().any(|word| known.contains(&word.as_str()))
}

/// What the value under these names is; nothing where they do not tell.
pub(super) fn kind(keys: &[String], text: &str) -> Option<Kind> {
    let own = words(keys.last()?);
    let joined = own.concat();
    let text = text.trim();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let has_letters = text.chars().any(char::is_alphabetic);
    let of_people = || keys.iter().any(|key| any_of(&words(key), PEOPLE));
    let looks_named = has_letters && digits == 0 && text.chars().count() > 2;
    Some(if any_of(&own, &["email", "mail"]) && text.contains('@') {
        Kind::Fixed("e-mail addresses", "someone@example.org")
    } else if any_of(&own, PHONES) && digits >= 5 {
        Kind::Fixed("phone numbers", "+33100000000")
    } else if any_of(&own, TOKENS) && text.len() > 5 {
        Kind::Fixed("tokens", "TOKEN")
    } else if any_of(&own, PLACES) && digits > 0 {
        Kind::Fixed("coordinates", "0")
    } else if (WHOLE_NAMES.contains(&joined.as_str()) && has_letters)
        || (looks_named && of_people() && (any_of(&own, NAMES) || any_of(&own, PEOPLE)))
    {
        Kind::Fixed("names", "Camille Example")
    } else if any_of(&own, STREETS) && has_letters {
        Kind::Fixed("streets", "1 Example Street")
    } else if text.len() > 200 && !text.contains(' ') {
        Kind::Fixed("images and the like", "AAAA")
    } else if any_of(&own, REFERENCES) && digits >= 4 && !is_time(keys) {
        Kind::Reshaped("references")
    } else {
        return None;
    })
}

/// Whether long digits under this name are no number of anything.
pub(super) fn is_time(keys: &[String]) -> bool {
    keys.last().is_some_and(|key| any_of(&words(key), TIMES))
}

/// What is replaced wherever it stands: what it is, its look, what stands there instead.
pub(super) fn patterns() -> &'static [(&'static str, Regex, &'static str)] {
    static ALL: LazyLock<Vec<(&'static str, Regex, &'static str)>> = LazyLock::new(|| {
        let rules = [
            ("e-mail addresses", r"[0-9A-Za-z._%+-]+@[0-9A-Za-z.-]+\.[A-Za-z]{2,}", "someone@example.org"),
            ("phone numbers", r"\+[0-9]{2}[0-9 ().-]{7,14}[0-9]", "+33100000000"),
            ("tokens", r"eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]*", "TOKEN"),
        ];
        let compiled = rules.map(|(what, pattern, instead)| Some((what, Regex::new(pattern).ok()?, instead)));
        compiled.into_iter().flatten().collect()
    });
    &ALL
}

/// Runs of nine digits or more, with letters around them: numbers of parcels, orders, accounts. Times are none.
pub(super) fn long_numbers(text: &str) -> impl Iterator<Item = &str> {
    let runs = text.split(|c: char| !c.is_ascii_alphanumeric());
    runs.filter(|run| {
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        let clock =
            matches!(run.len(), 12 | 14) && digits == run.len() && (run.starts_with("19") || run.starts_with("20"));
        let since_1970 = digits == run.len() && matches!(run.len(), 10 | 13) && run.starts_with(['1', '2']);
        digits >= 9 && digits + 6 >= run.len() && !clock && !since_1970
    })
}

/// Something of the same kind that says nothing.
pub(super) fn blanked(text: &str) -> String {
    let change = |c: char| {
        if c.is_ascii_digit() {
            '0'
        } else if c.is_alphabetic() {
            'x'
        } else {
            c
        }
    };
    text.chars().take(60).map(change).collect()
}
