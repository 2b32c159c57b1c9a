//! What the tests share: [`house`] is where a test of the whole program begins.

pub mod daemon;
pub mod house;
pub mod redis;
pub mod shop;
pub mod tap;
pub mod world;

/// A port for a server that must come back to the same one. Below the range that the system hands out by itself, and
/// by process, so that neither another test nor a connection of anybody's takes it in between.
pub fn free_port() -> u16 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    loop {
        let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let port = 10_000 + (std::process::id().wrapping_mul(31).wrapping_add(next)) % 22_000;
        let port = u16::try_from(port).unwrap();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
