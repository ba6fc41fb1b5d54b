//! Limits by name, and how often each acted: one table for this crate and the layer above, which has
//! limits of its own.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A limit: an option that has a bound for its value, and is counted under its name.
pub trait NamedLimit: Copy + 'static {
    /// All limits, in their order.
    const ALL: &'static [Self];

    /// The name of its option.
    fn option(self) -> &'static str;

    /// Its place in [`NamedLimit::ALL`].
    fn index(self) -> usize;
}

/// Makes an enum a [`NamedLimit`], from the names of the options.
#[doc(hidden)]
#[macro_export]
macro_rules! named_limits {
    (
        $(#[$of_all:meta])*
        pub enum $limits:ident {
            $($(#[$doc:meta])* $name:ident = $option:literal,)*
        }
    ) => {
        $(#[$of_all])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $limits {
            $($(#[$doc])* $name,)*
        }

        impl $limits {
            /// All limits.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name of its option.
            #[must_use]
            pub const fn option(self) -> &'static str {
                match self {
                    $(Self::$name => $option,)*
                }
            }
        }

        impl $crate::NamedLimit for $limits {
            const ALL: &'static [Self] = Self::ALL;

            fn option(self) -> &'static str {
                Self::option(self)
            }

            fn index(self) -> usize {
                self as usize
            }
        }

        impl From<$limits> for &'static str {
            fn from(limit: $limits) -> Self {
                limit.option()
            }
        }
    };
}

/// How often each limit acted since the start, as it is counted.
pub struct LimitCounters<L>(Box<[AtomicU64]>, PhantomData<L>);

impl<L: NamedLimit> LimitCounters<L> {
    /// The limit acted so many times more.
    pub fn add(&self, limit: L, count: u64) {
        self.0[limit.index()].fetch_add(count, Relaxed);
    }

    /// All limits by name, and how often they acted.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.0.iter().map(|count| count.load(Relaxed));
        L::ALL.iter().map(|limit| limit.option()).zip(counts)
    }
}

impl<L: NamedLimit> Default for LimitCounters<L> {
    fn default() -> Self {
        Self(L::ALL.iter().map(|_| AtomicU64::new(0)).collect(), PhantomData)
    }
}

impl<L: NamedLimit> fmt::Debug for LimitCounters<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.counts()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limit;

    #[test]
    fn each_limit_is_counted_under_its_name() {
        let counters = LimitCounters::<Limit>::default();
        for (at, limit) in Limit::ALL.iter().enumerate() {
            counters.add(*limit, at as u64);
            counters.add(*limit, 1);
        }
        let expected = Limit::ALL.iter().zip(1..).map(|(limit, count)| (limit.option(), count));
        assert_eq!(counters.counts().collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}
