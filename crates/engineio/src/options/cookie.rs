//! The cookie that load balancers keep a client on one node by.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::options::error::OptionsError;

/// The cookie that the first answer of a session sets: its id, for load balancers that keep a
/// client on one node. It has no meaning for the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cookie {
    /// The name (`io`).
    pub name: String,
    /// The path (`/`); `None` leaves it out, and browsers take the folder of the request.
    pub path: Option<String>,
    /// The host that gets it with all of its subdomains (none: the host of the request alone).
    pub domain: Option<String>,
    /// How long browsers keep it, in whole seconds (none: until they are closed). The id of a
    /// session that is over does no harm.
    pub max_age: Option<Duration>,
    /// Whether scripts are kept from reading it (true).
    pub http_only: bool,
    /// Which requests of other sites' pages carry it (`Lax`); `None` leaves the attribute out.
    pub same_site: Option<SameSite>,
    /// Whether it is for HTTPS only (false).
    pub secure: bool,
    /// Whether it is kept apart for each page that embeds ours (false). Only for `secure` ones.
    pub partitioned: bool,
}

/// Which requests of other sites' pages carry a cookie.
// RFC 6265bis 4.1.2.7
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// None.
    Strict,
    /// Those that open a page of ours.
    Lax,
    /// All. Only for `secure` cookies.
    None,
}

impl Default for Cookie {
    fn default() -> Self {
        Self {
            name: "io".to_owned(),
            path: Some("/".to_owned()),
            domain: None,
            max_age: None,
            http_only: true,
            same_site: Some(SameSite::Lax),
            secure: false,
            partitioned: false,
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
        if !(token(&self.name) && attribute(&self.path) && attribute(&self.domain)) {
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
        if self.same_site == Some(SameSite::None) && !self.secure {
            return unusable("None", "SameSite=None is for `secure` cookies only");
        }
        if self.partitioned && !self.secure {
            return unusable("Partitioned", "such a cookie is `secure`");
        }
        let name = self.name.to_ascii_lowercase();
        if name.starts_with("__secure-") && !self.secure {
            return unusable(&self.name, "such a name is for `secure` cookies only");
        }
        let is_of_host = self.secure && path == Some("/") && self.domain.is_none();
        if name.starts_with("__host-") && !is_of_host {
            return unusable(
                &self.name,
                "such a name is for `secure` cookies of the path / and no domain only",
            );
        }
        Ok(())
    }

    /// The value of `Set-Cookie`.
    // Node: Cookie
    pub(crate) fn header(&self, sid: &str) -> String {
        // encoded here, as encodeURIComponent does
        let value = engineio_proto::handshake::encode_cookie_value(sid);
        let mut header = format!("{}={value}", self.name);
        let mut add = |part: fmt::Arguments<'_>| header.write_fmt(part).is_ok();
        if self.http_only {
            add(format_args!("; HttpOnly"));
        }
        if let Some(same_site) = self.same_site {
            // the names are the attribute's values
            add(format_args!("; SameSite={same_site:?}"));
        }
        if self.partitioned {
            add(format_args!("; Partitioned"));
        }
        if self.secure {
            add(format_args!("; Secure"));
        }
        if let Some(path) = &self.path {
            add(format_args!("; Path={path}"));
        }
        if let Some(domain) = &self.domain {
            add(format_args!("; Domain={domain}"));
        }
        if let Some(age) = self.max_age {
            add(format_args!("; Max-Age={}", age.as_secs()));
        }
        header
    }
}
