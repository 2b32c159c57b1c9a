//! Secrets at rest: sealed with a master key that Redis never sees.
//!
//! A sealed text is `e1.<key id>.<nonce>.<ciphertext>`: XChaCha20-Poly1305, its purpose authenticated with it, so
//! that a sealed text moved to another place does not open there.

use std::fmt;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use secrecy::{ExposeSecret, SecretBox, SecretSlice};
use sha2::{Digest, Sha256};

use super::error::StoreError;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const FORMAT: &str = "e1";

/// The key that seals webhook secrets, carrier tokens and the store's own secret.
pub struct MasterKey {
    key: SecretBox<[u8; KEY_BYTES]>,
    id: String,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

impl MasterKey {
    /// A new random key.
    pub fn generate() -> Result<Self, StoreError> {
        Ok(Self::from_bytes(random()?))
    }

    /// The key of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        let id = HEXLOWER.encode(&digest("id", &bytes)[..4]);
        Self { key: SecretBox::new(Box::new(bytes)), id }
    }

    /// The key written in a credential: 32 bytes, raw or as 64 hexadecimal digits.
    pub fn from_text(text: &[u8]) -> Result<Self, StoreError> {
        if let Ok(bytes) = <[u8; KEY_BYTES]>::try_from(text) {
            return Ok(Self::from_bytes(bytes));
        }
        let bytes = HEXLOWER.decode(&text.trim_ascii().to_ascii_lowercase()).ok();
        let bytes = bytes.and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok());
        bytes.map(Self::from_bytes).ok_or_else(|| {
            StoreError::Secret("the master key must be 32 bytes, raw or as 64 hexadecimal digits".to_owned())
        })
    }

    /// The key in this file; a new one, written there for its owner alone, when there is no file.
    pub fn load_or_create(path: &Path) -> Result<Self, StoreError> {
        match read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(problem("read", path, &error)),
            Ok(text) => return Self::from_text(&text),
        }
        let key = Self::generate()?;
        match key.write_new(path) {
            Ok(()) => Ok(key),
            // Another process made it in this moment: its key is the one.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Self::from_text(&read(path).map_err(|error| problem("read", path, &error))?)
            }
            Err(error) => Err(problem("write", path, &error)),
        }
    }

    /// Written beside its place and linked there whole, so that nobody ever reads half a key.
    fn write_new(&self, path: &Path) -> std::io::Result<()> {
        let beside = path.with_extension(format!("new-{}", std::process::id()));
        let _ = std::fs::remove_file(&beside);
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(HEXLOWER.encode(self.key.expose_secret()).as_bytes())?;
        file.sync_all()?;
        let linked = std::fs::hard_link(&beside, path);
        let _ = std::fs::remove_file(&beside);
        linked
    }

    /// What the store keeps to recognise the key; it tells nothing of it.
    #[must_use]
    pub fn check_hash(&self) -> String {
        HEXLOWER.encode(&digest("check", self.key.expose_secret())[..16])
    }

    /// Seals a secret for one purpose (the name of the place where it is kept).
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<String, StoreError> {
        let nonce: [u8; NONCE_BYTES] = random()?;
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: purpose.as_bytes() })
            .map_err(|_| StoreError::Secret(format!("{purpose} is too long to be sealed")))?;
        Ok(format!("{FORMAT}.{}.{}.{}", self.id, BASE64URL_NOPAD.encode(&nonce), BASE64URL_NOPAD.encode(&sealed)))
    }

    /// Opens what [`MasterKey::seal`] sealed for the same purpose.
    pub fn open(&self, purpose: &str, sealed: &str) -> Result<SecretSlice<u8>, StoreError> {
        let bad = |why: &str| StoreError::Secret(format!("the sealed {purpose} {why}"));
        let mut parts = sealed.split('.');
        let mut next = || parts.next().ok_or_else(|| bad("is cut short"));
        if next()? != FORMAT {
            return Err(bad("has a format that this version does not know"));
        }
        let id = next()?;
        if id != self.id {
            return Err(bad(&format!("was sealed with master key {id}, and this one is {}", self.id)));
        }
        let nonce = BASE64URL_NOPAD.decode(next()?.as_bytes()).map_err(|_| bad("is damaged"))?;
        let nonce = <[u8; NONCE_BYTES]>::try_from(nonce).map_err(|_| bad("is damaged"))?;
        let sealed = BASE64URL_NOPAD.decode(next()?.as_bytes()).map_err(|_| bad("is damaged"))?;
        let plain = self
            .cipher()
            .decrypt(&XNonce::from(nonce), Payload { msg: &sealed, aad: purpose.as_bytes() })
            .map_err(|_| bad("does not open: it was changed, or belongs to another place"))?;
        Ok(SecretSlice::from(plain))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.key.expose_secret()))
    }
}

/// Reads the file, refused when others may read it too.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(std::io::Error::other(format!("others may read it (mode {:o}): chmod 600", mode & 0o777)));
    }
    std::fs::read(path)
}

fn problem(what: &str, path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Secret(format!("cannot {what} the master key {}: {error}", path.display()))
}

fn digest(what: &str, key: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"wismo master key ");
    hash.update(what.as_bytes());
    hash.update([0]);
    hash.update(key);
    hash.finalize().into()
}

/// Random bytes from the operating system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Secret(format!("no random bytes: {error}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_with_its_key_for_its_purpose_alone() {
        let key = MasterKey::generate().unwrap();
        let sealed = key.seal("webhook secret", b"whsec_x").unwrap();
        assert!(sealed.starts_with("e1.") && !sealed.contains("whsec"));
        assert_eq!(key.open("webhook secret", &sealed).unwrap().expose_secret(), b"whsec_x");
        assert!(key.open("token", &sealed).is_err());
        let other = MasterKey::generate().unwrap();
        let error = other.open("webhook secret", &sealed).unwrap_err().to_string();
        assert!(error.contains("was sealed with master key"), "{error}");
        for broken in ["", "e1", "e2.a.b.c", "e1.a.b", &sealed[..sealed.len() - 2]] {
            assert!(key.open("webhook secret", broken).is_err(), "{broken}");
        }
        assert!(!format!("{key:?}").contains(&HEXLOWER.encode(key.key.expose_secret())));
    }

    #[test]
    fn the_file_is_made_once_and_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master-key");
        let key = MasterKey::load_or_create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(MasterKey::load_or_create(&path).unwrap().check_hash(), key.check_hash());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(MasterKey::load_or_create(&path).unwrap_err().to_string().contains("chmod 600"));
    }
}
