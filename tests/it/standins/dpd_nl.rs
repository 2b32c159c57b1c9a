//! DPD Netherlands: the services of `dpd_be` on Dutch clocks.

use super::Tokens;
use super::dpd_be::{Land, LifeCycle};

pub fn nl() -> LifeCycle {
    let land = Land {
        code: "dpd_nl",
        country: "NL",
        number: "05220000047111",
        credentials: &[("delis_id", "NLKD4711"), ("password", "drop & <hagel>")],
        login: "/soap/services/LoginService/V2_1",
        login_version: "2.1",
        tracking: "/soap/services/ParcelLifeCycleService/V2_0",
        languages: &["en_EN", "en_US", "fr_FR", "nl_NL", "de_DE"],
        zone: "Europe/Amsterdam",
        days: "%-m/%-d/%Y %-I:%M:%S %p",
        town: "Veenendaal (NL)",
    };
    LifeCycle { land, tokens: Tokens::default() }
}
