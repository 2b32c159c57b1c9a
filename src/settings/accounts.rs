//! `[accounts.NAME]`: carriers' credentials, where they come from, and who may use them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::reader::{Reader, text_of};
use super::sources::Sources;
use super::units::{DAY, MS};
use super::{Account, AccountLimits, Shops, Window};
use crate::model::AccountName;

pub(super) fn accounts(root: &Reader<'_>, sources: &Sources) -> BTreeMap<AccountName, Account> {
    let all = root.section("accounts");
    let mut accounts = BTreeMap::new();
    for name in all.names() {
        let account = account(&all.section(&name), sources);
        match (name.parse::<AccountName>(), account) {
            (Ok(name), Some(account)) => {
                accounts.insert(name, account);
            }
            (Err(error), _) => all.wrong(&name, error.to_string()),
            (Ok(_), None) => {}
        }
    }
    accounts
}

/// An account whose carrier is given. What is wrong with the rest of it is reported, and does not keep the carrier from
/// judging what there is: such an account is never used.
fn account(s: &Reader<'_>, sources: &Sources) -> Option<Account> {
    let carrier = s.given("carrier");
    if carrier.is_none() {
        s.wrong("carrier", "missing: the code of the carrier, such as ups (`wismo carriers list`)");
    }
    let environment = s.given("environment").unwrap_or_else(|| "production".to_owned());
    let base_url = s.given("base_url");
    if base_url.as_ref().is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
        s.wrong("base_url", "an address starts with https:// (or http:// for a stand-in)");
    }
    let language = s.given("language");
    let shops = shops(s);
    let c = s.section("credentials");
    let credentials = c.names().into_iter().map(|name| (name.clone(), credential(&c, &name, sources))).collect();
    let l = s.section("limits");
    let small = |name| l.number(name, 1..=1_000_000).and_then(|n| u32::try_from(n).ok());
    let limits = AccountLimits {
        per_second: small("per_second"),
        concurrent: small("concurrent"),
        numbers_per_call: small("numbers_per_call"),
        windows: windows(&l),
        per_parcel: l.value("per_parcel").and_then(|_| l.duration("per_parcel", MS, 30 * DAY)),
    };
    l.finish();
    s.finish();
    Some(Account { carrier: carrier?, environment, base_url, language, credentials, limits, shops })
}

fn shops(s: &Reader<'_>) -> Shops {
    match s.value("shops") {
        None => {
            s.wrong("shops", "missing: a list of shops that may use the account, or \"*\" for everybody");
            Shops::Only(Vec::new())
        }
        Some(value) if text_of(value).is_ok_and(|text| text == "*") => Shops::All,
        Some(_) => {
            let read = |text: &str| text.parse().map_err(|error: crate::model::ids::IdError| error.to_string());
            Shops::Only(s.list("shops", read).unwrap_or_default())
        }
    }
}

/// The text itself, or the content of a file or of a credential of the service manager. Empty where it cannot be had,
/// which is reported: it is not missing as well.
fn credential(c: &Reader<'_>, name: &str, sources: &Sources) -> SecretString {
    if c.value(name).is_some_and(|value| text_of(value).is_ok()) {
        return SecretString::from(c.text(name).unwrap_or_default());
    }
    let from = c.section(name);
    let (file, credential) = (from.given("file"), from.given("credential"));
    from.finish();
    let path = match (file, credential) {
        (Some(file), None) => PathBuf::from(file),
        (None, Some(credential)) => {
            let Some(folder) = sources.variable("CREDENTIALS_DIRECTORY") else {
                let message = "$CREDENTIALS_DIRECTORY is not set: start wismo by systemd with LoadCredential=, or use { file = \"...\" }";
                from.wrong("credential", message);
                return SecretString::default();
            };
            Path::new(folder).join(credential)
        }
        _ => {
            c.wrong(name, "write the secret's text, { file = \"/path\" } or { credential = \"name\" }");
            return SecretString::default();
        }
    };
    let text = std::fs::read_to_string(&path);
    match text.as_deref().map(|text| text.trim_end_matches(['\n', '\r'])) {
        Ok("") => c.wrong(name, format!("{} is empty: the secret belongs into it", path.display())),
        Ok(secret) => return SecretString::from(secret),
        Err(error) => c.wrong(name, format!("{} cannot be read: {error}", path.display())),
    }
    SecretString::default()
}

fn windows(l: &Reader<'_>) -> Option<Vec<Window>> {
    let value = l.value("windows")?;
    let config::ValueKind::Array(items) = &value.kind else {
        l.wrong("windows", "a list belongs here, such as [{ calls = 1000, per = \"1d\" }]");
        return None;
    };
    let read = |(at, item): (usize, &config::Value)| {
        let w = l.item(item, "windows", at);
        let calls = w.number("calls", 1..=u64::from(u32::MAX)).and_then(|n| u32::try_from(n).ok());
        let per = w.duration("per", MS * 100, 366 * DAY);
        let reset = w.given("reset");
        if reset.as_ref().is_some_and(|zone| jiff::tz::TimeZone::get(zone).is_err()) {
            w.wrong("reset", "no such zone: write an IANA name such as Europe/Paris or UTC");
        }
        for name in ["calls", "per"].into_iter().filter(|name| w.value(name).is_none()) {
            w.wrong(name, "missing: each window needs calls and per");
        }
        w.finish();
        Some(Window { calls: calls?, per: per?, reset })
    };
    // Each is read before any is given up.
    let windows: Vec<Option<Window>> = items.iter().enumerate().map(read).collect();
    windows.into_iter().collect()
}
