//! Datagrams to the service manager: the protocol of `sd_notify`, which is lines of text to a unix socket.

use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// A manager that does not read for so long misses a message rather than holding us up.
const PATIENCE: Duration = Duration::from_millis(500);

/// A connection to the service manager.
#[derive(Debug)]
pub struct Notifier {
    socket: UnixDatagram,
}

impl Notifier {
    /// Connects to what `NOTIFY_SOCKET` holds: a path, or `@name` for a socket without one.
    pub fn connect(address: &str) -> io::Result<Self> {
        let address = match address.strip_prefix('@') {
            Some(name) => unnamed(name)?,
            None if address.starts_with('/') => SocketAddr::from_pathname(address)?,
            None => return Err(io::Error::new(io::ErrorKind::Unsupported, "only unix sockets are known")),
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket })
    }

    /// Sends assignments, one a line.
    pub fn send(&self, message: &str) -> io::Result<()> {
        self.socket.send(message.as_bytes()).map(drop)
    }
}

#[cfg(target_os = "linux")]
fn unnamed(name: &str) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn unnamed(_: &str) -> io::Result<SocketAddr> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "sockets without a path exist on Linux alone"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_with_and_without_a_path_are_reached() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("wismo-test-{}", std::process::id());
        let heard = |socket: UnixDatagram, address: &str| {
            Notifier::connect(address).unwrap().send("READY=1\nSTATUS=ok").unwrap();
            let mut buffer = [0; 100];
            let length = socket.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        let with_path = heard(UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap());
        let without = heard(UnixDatagram::bind_addr(&unnamed(&name).unwrap()).unwrap(), &format!("@{name}"));
        assert_eq!((with_path.as_str(), without.as_str()), ("READY=1\nSTATUS=ok", "READY=1\nSTATUS=ok"));
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for address in ["", "relative", "vsock:2:1234", "/nowhere/notify"] {
            assert!(Notifier::connect(address).is_err(), "{address}");
        }
    }
}
