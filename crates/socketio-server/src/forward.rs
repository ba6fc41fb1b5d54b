//! Methods that only call those of the same name of something else.

/// Writes methods that call those of the same name of what the method `target` gives. Each comes with
/// its documentation; type parameters stand in brackets.
macro_rules! forward {
    ($target:ident:) => {};
    (
        $target:ident: $(#[$attribute:meta])*
        fn $name:ident $([$($generics:tt)*])? ($($argument:ident: $type:ty),*) $(-> $result:ty)?
        $(where [$($bounds:tt)*])?;
        $($rest:tt)*
    ) => {
        $(#[$attribute])*
        pub fn $name $(<$($generics)*>)? (&self, $($argument: $type),*) $(-> $result)?
        $(where $($bounds)*)?
        {
            self.$target().$name($($argument),*)
        }
        $crate::forward::forward!($target: $($rest)*);
    };
    (
        $target:ident: $(#[$attribute:meta])*
        async fn $name:ident $([$($generics:tt)*])? ($($argument:ident: $type:ty),*) -> $result:ty;
        $($rest:tt)*
    ) => {
        $(#[$attribute])*
        pub async fn $name $(<$($generics)*>)? (&self, $($argument: $type),*) -> $result {
            self.$target().$name($($argument),*).await
        }
        $crate::forward::forward!($target: $($rest)*);
    };
}

pub(crate) use forward;
