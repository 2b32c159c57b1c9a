//! The one choice about TLS that the process makes: ring as its provider of cryptography.

use std::sync::Once;

/// Makes ring the provider. May be called any number of times; needed before the first HTTP client is built.
pub fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error says that another provider stands already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
