//! DPD Germany: the services of `dpd_be` under other paths, the login in version 2.0, days in German style.

use super::Tokens;
use super::dpd_be::{Land, LifeCycle};

pub fn de() -> LifeCycle {
    let land = Land {
        code: "dpd_de",
        country: "DE",
        number: "01590000047112",
        credentials: &[("delis_id", "DEKD4711"), ("password", "senf & <brot>")],
        login: "/services/LoginService/V2_0/",
        login_version: "2.0",
        tracking: "/services/ParcelLifeCycleService/V2_0/",
        languages: &["en_US", "de_DE"],
        zone: "Europe/Berlin",
        days: "%d.%m.%Y, %H:%M",
        town: "Aschaffenburg (DE)",
    };
    LifeCycle { land, tokens: Tokens::default() }
}
