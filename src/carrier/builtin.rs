//! The definitions compiled into the program. A new carrier is one line here and one folder.

use super::load::Shared;

/// Folder and `carrier.toml` of each.
pub(super) const CARRIERS: &[(&str, &str)] = &[
    ("bpost", include_str!("../../carriers/bpost/carrier.toml")),
    ("fedex", include_str!("../../carriers/fedex/carrier.toml")),
    ("laposte", include_str!("../../carriers/laposte/carrier.toml")),
    ("mondialrelay", include_str!("../../carriers/mondialrelay/carrier.toml")),
    ("sandbox", include_str!("../../carriers/sandbox/carrier.toml")),
    ("ups", include_str!("../../carriers/ups/carrier.toml")),
];

/// Tables that several carriers use, `carriers/_shared/NAME.toml`.
const SHARED: &[(&str, &str)] = &[];

pub(super) fn shared() -> Shared {
    SHARED.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}
