//! The cookie that load balancers keep a client on one node by.

use crate::options::error::OptionsError;

/// The cookie that the first answer of a session sets: its id, for load balancers that keep a
/// client on one node. It has no meaning for the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cookie {
    /// The name (`io`).
    pub name: String,
    /// The path (`/`); `None` leaves it out.
    pub path: Option<String>,
    /// Whether scripts are kept from reading it (true).
    pub http_only: bool,
    /// The `SameSite` attribute (`Lax`); `None` leaves it out.
    pub same_site: Option<String>,
    /// Whether it is for HTTPS only (false).
    pub secure: bool,
}

impl Default for Cookie {
    fn default() -> Self {
        Self {
            name: "io".to_owned(),
            path: Some("/".to_owned()),
            http_only: true,
            same_site: Some("Lax".to_owned()),
            secure: false,
        }
    }
}

impl Cookie {
    /// The default cookie under another name.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    pub(super) fn check(&self) -> Result<(), OptionsError> {
        let token = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_graphic() && !b"=;,\"\\".contains(&b))
        };
        let attribute = |text: &Option<String>| {
            text.as_deref()
                .is_none_or(|text| text.bytes().all(|b| (b' '..0x7f).contains(&b) && b != b';'))
        };
        if !(token(&self.name) && attribute(&self.path) && attribute(&self.same_site)) {
            return Err(OptionsError::Cookie(self.name.clone()));
        }
        // what browsers ignore, or refuse
        let unusable = |value: &str, why| {
            Err(OptionsError::Unusable { option: "cookie", value: value.to_owned(), why })
        };
        let path = self.path.as_deref();
        if let Some(path) = path.filter(|path| !path.starts_with('/')) {
            return unusable(path, "a cookie's path begins with a slash");
        }
        let is =
            |value: &str| self.same_site.as_deref().is_some_and(|s| s.eq_ignore_ascii_case(value));
        match self.same_site.as_deref() {
            Some(other) if !(is("Strict") || is("Lax") || is("None")) => {
                return unusable(other, "SameSite is Strict, Lax or None");
            }
            Some(none) if is("None") && !self.secure => {
                return unusable(none, "SameSite=None is for `secure` cookies only");
            }
            _ => {}
        }
        let name = self.name.to_ascii_lowercase();
        if name.starts_with("__secure-") && !self.secure {
            return unusable(&self.name, "such a name is for `secure` cookies only");
        }
        if name.starts_with("__host-") && !(self.secure && path == Some("/")) {
            return unusable(&self.name, "such a name is for `secure` cookies of the path / only");
        }
        Ok(())
    }

    pub(crate) fn header(&self, sid: &str) -> String {
        let mut value =
            format!("{}={}", self.name, engineio_proto::handshake::encode_cookie_value(sid));
        let mut attribute = |name: &str, text: &str| {
            value.push_str(name);
            value.push_str(text);
        };
        if let Some(path) = &self.path {
            attribute("; Path=", path);
        }
        if self.http_only {
            attribute("; HttpOnly", "");
        }
        if let Some(same_site) = &self.same_site {
            attribute("; SameSite=", same_site);
        }
        if self.secure {
            attribute("; Secure", "");
        }
        value
    }
}
