//! The name of an event, kept while something waits.

/// The name of an event whose handler or middleware waits. Most are short, and cost nothing more.
pub(super) enum Name {
    Short { len: u8, bytes: [u8; SHORT] },
    Long(Box<str>),
}

impl Name {
    pub(super) fn new(name: &str) -> Self {
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..name.len()), u8::try_from(name.len())) {
            (Some(start), Ok(len)) => {
                start.copy_from_slice(name.as_bytes());
                Self::Short { len, bytes }
            }
            _ => Self::Long(name.into()),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Short { len, bytes } => {
                let name = bytes.get(..usize::from(*len)).unwrap_or_default();
                std::str::from_utf8(name).unwrap_or_default()
            }
            Self::Long(name) => name,
        }
    }
}

/// Bytes of a short name: with them a [`Name`] is as large as four pointers.
const SHORT: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_length() {
        assert_eq!(size_of::<Name>(), 32);
        for len in [0, 1, SHORT - 1, SHORT, SHORT + 1, 300] {
            let name = "x".repeat(len);
            assert_eq!(Name::new(&name).as_str(), name);
        }
    }
}
