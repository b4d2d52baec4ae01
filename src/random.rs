//! Random bytes from the system: nonces, and later jitter. Nothing else asks for entropy.

use std::fmt::{Debug, Write};

use ring::rand::{SecureRandom, SystemRandom};

use crate::error::{Error, Result};

/// Where random bytes come from. An argument, so that tests can repeat themselves.
pub trait Random: Debug + Send + Sync {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// 70 where the system has none to give.
    fn fill(&self, bytes: &mut [u8]) -> Result<()>;
}

/// The system's random bytes.
#[derive(Debug, Default)]
pub struct SystemRandomness(());

impl Random for SystemRandomness {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        SystemRandom::new()
            .fill(bytes)
            .map_err(|_| Error::defect("drawing a nonce", "the system gave no random bytes"))
    }
}

/// The mark by which a run knows its own objects: 128 random bits as 32 hexadecimal digits (SPEC 7).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Nonce(String);

impl Nonce {
    /// A new one.
    ///
    /// # Errors
    /// As [`Random::fill`].
    pub fn draw(random: &dyn Random) -> Result<Self> {
        let mut bytes = [0; 16];
        random.fill(&mut bytes)?;
        let mut text = String::with_capacity(32);
        for byte in bytes {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    /// The 32 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_are_32_hexadecimal_digits_and_differ() {
        let [one, two] = [0, 1].map(|_| Nonce::draw(&SystemRandomness::default()).unwrap());
        assert_eq!(one.as_str().len(), 32);
        assert!(one.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(one, two);
    }
}
