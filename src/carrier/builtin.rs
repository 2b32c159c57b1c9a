//! The definitions compiled into the program. A new carrier is one line here and one folder.

use super::document::Shared;

/// Folder and `carrier.toml` of each.
pub(super) const CARRIERS: &[(&str, &str)] = &[
    ("amazon_shipping", include_str!("../../carriers/amazon_shipping/carrier.toml")),
    ("aramex", include_str!("../../carriers/aramex/carrier.toml")),
    ("asendia", include_str!("../../carriers/asendia/carrier.toml")),
    ("asendia_us", include_str!("../../carriers/asendia_us/carrier.toml")),
    ("australiapost", include_str!("../../carriers/australiapost/carrier.toml")),
    ("bluedart", include_str!("../../carriers/bluedart/carrier.toml")),
    ("bpost", include_str!("../../carriers/bpost/carrier.toml")),
    ("cainiao", include_str!("../../carriers/cainiao/carrier.toml")),
    ("canadapost", include_str!("../../carriers/canadapost/carrier.toml")),
    ("canpar", include_str!("../../carriers/canpar/carrier.toml")),
    ("chronopost", include_str!("../../carriers/chronopost/carrier.toml")),
    ("colisprive", include_str!("../../carriers/colisprive/carrier.toml")),
    ("correios", include_str!("../../carriers/correios/carrier.toml")),
    ("correos", include_str!("../../carriers/correos/carrier.toml")),
    ("delhivery", include_str!("../../carriers/delhivery/carrier.toml")),
    ("dhl", include_str!("../../carriers/dhl/carrier.toml")),
    ("dhl_express", include_str!("../../carriers/dhl_express/carrier.toml")),
    ("dhl_parcel_nl", include_str!("../../carriers/dhl_parcel_nl/carrier.toml")),
    ("dpd", include_str!("../../carriers/dpd/carrier.toml")),
    ("dpd_be", include_str!("../../carriers/dpd_be/carrier.toml")),
    ("dpd_de", include_str!("../../carriers/dpd_de/carrier.toml")),
    ("dpd_nl", include_str!("../../carriers/dpd_nl/carrier.toml")),
    ("dtdc", include_str!("../../carriers/dtdc/carrier.toml")),
    ("fedex", include_str!("../../carriers/fedex/carrier.toml")),
    ("fourpx", include_str!("../../carriers/fourpx/carrier.toml")),
    ("geodis", include_str!("../../carriers/geodis/carrier.toml")),
    ("gls", include_str!("../../carriers/gls/carrier.toml")),
    ("gls_canada", include_str!("../../carriers/gls_canada/carrier.toml")),
    ("hermes", include_str!("../../carriers/hermes/carrier.toml")),
    ("inpost", include_str!("../../carriers/inpost/carrier.toml")),
    ("jtexpress", include_str!("../../carriers/jtexpress/carrier.toml")),
    ("landmark", include_str!("../../carriers/landmark/carrier.toml")),
    ("laposte", include_str!("../../carriers/laposte/carrier.toml")),
    ("mondialrelay", include_str!("../../carriers/mondialrelay/carrier.toml")),
    ("nationex", include_str!("../../carriers/nationex/carrier.toml")),
    ("ninjavan", include_str!("../../carriers/ninjavan/carrier.toml")),
    ("ontrac", include_str!("../../carriers/ontrac/carrier.toml")),
    ("ontrac_web", include_str!("../../carriers/ontrac_web/carrier.toml")),
    ("poste_italiane", include_str!("../../carriers/poste_italiane/carrier.toml")),
    ("postnl", include_str!("../../carriers/postnl/carrier.toml")),
    ("postnord", include_str!("../../carriers/postnord/carrier.toml")),
    ("purolator", include_str!("../../carriers/purolator/carrier.toml")),
    ("relaiscolis", include_str!("../../carriers/relaiscolis/carrier.toml")),
    ("royalmail", include_str!("../../carriers/royalmail/carrier.toml")),
    ("sandbox", include_str!("../../carriers/sandbox/carrier.toml")),
    ("seko", include_str!("../../carriers/seko/carrier.toml")),
    ("sendle", include_str!("../../carriers/sendle/carrier.toml")),
    ("sf_express", include_str!("../../carriers/sf_express/carrier.toml")),
    ("tnt", include_str!("../../carriers/tnt/carrier.toml")),
    ("ups", include_str!("../../carriers/ups/carrier.toml")),
    ("usps", include_str!("../../carriers/usps/carrier.toml")),
    ("usps_v3", include_str!("../../carriers/usps_v3/carrier.toml")),
    ("yanwen", include_str!("../../carriers/yanwen/carrier.toml")),
    ("yunexpress", include_str!("../../carriers/yunexpress/carrier.toml")),
    ("zoom2u", include_str!("../../carriers/zoom2u/carrier.toml")),
];

/// Tables that several carriers use, `carriers/_shared/NAME.toml`.
const SHARED: &[(&str, &str)] = &[
    ("dhl_express", include_str!("../../carriers/_shared/dhl_express.toml")),
    ("dpd_lifecycle", include_str!("../../carriers/_shared/dpd_lifecycle.toml")),
    ("inovert", include_str!("../../carriers/_shared/inovert.toml")),
    ("inovert_situations", include_str!("../../carriers/_shared/inovert_situations.toml")),
    ("usps", include_str!("../../carriers/_shared/usps.toml")),
];

pub(super) fn shared() -> Shared {
    SHARED.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}
