//! Session ids: 120 bits from the operating system, in the form of the reference (20 characters
//! of URL-safe base64). The id is the bearer of a polling session, so it must not be guessable.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A new id: 120 random bits as 20 URL-safe characters.
///
/// # Panics
/// If the operating system has no random numbers: there is no safe way to go on.
#[must_use]
pub fn random() -> String {
    let mut bytes = [0; 15];
    getrandom::fill(&mut bytes).expect("the operating system gives random numbers");
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn ids_have_the_form_of_the_reference_and_do_not_repeat() {
        let ids: HashSet<String> = (0..10_000).map(|_| super::random()).collect();
        assert_eq!(ids.len(), 10_000);
        for id in ids {
            assert_eq!(id.len(), 20);
            assert!(
                id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'),
                "{id}"
            );
        }
    }
}
