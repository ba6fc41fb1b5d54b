//! What can be given where rooms are asked for: one name, or a list of names.

use crate::{Room, SocketId};

/// One room or several: text, a [`Room`], a [`SocketId`] (the socket's own room), or a `Vec`, an
/// array or a slice of one of these.
///
/// ```
/// use socketio_adapter::{IntoRooms, Room};
///
/// fn join(rooms: impl IntoRooms) -> Vec<Room> {
///     rooms.into_rooms()
/// }
///
/// assert_eq!(join("lobby"), ["lobby"]);
/// assert_eq!(join(["lobby", "news"]), ["lobby", "news"]);
/// assert_eq!(join(vec![format!("user:{}", 7)]), ["user:7"]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a room nor a list of rooms",
    label = "expected a room or a list of rooms",
    note = "a room is a `&str`, `String`, `Room` or `SocketId`; \
            a list is a `Vec`, an array or a slice of one of these",
    note = "numbers are not room names by themselves: use `.to_string()`"
)]
pub trait IntoRooms {
    /// The rooms, in the order given.
    fn into_rooms(self) -> Vec<Room>;
}

// A blanket implementation for `T: Into<Room>` would overlap with those for lists. That those for
// lists are not recommended has the compiler speak of the list, instead of `Room: From<i32>`.
macro_rules! single {
    ($($name:ty),*) => {$(
        impl IntoRooms for $name {
            fn into_rooms(self) -> Vec<Room> {
                vec![self.into()]
            }
        }
    )*};
}

single!(&str, String, &String, Room, &Room, SocketId, &SocketId);

#[diagnostic::do_not_recommend]
impl<T: Into<Room>> IntoRooms for Vec<T> {
    fn into_rooms(self) -> Vec<Room> {
        self.into_iter().map(Into::into).collect()
    }
}

#[diagnostic::do_not_recommend]
impl<T: Into<Room>, const N: usize> IntoRooms for [T; N] {
    fn into_rooms(self) -> Vec<Room> {
        self.into_iter().map(Into::into).collect()
    }
}

#[diagnostic::do_not_recommend]
impl<'a, T> IntoRooms for &'a [T]
where
    &'a T: Into<Room>,
{
    fn into_rooms(self) -> Vec<Room> {
        self.iter().map(Into::into).collect()
    }
}

#[diagnostic::do_not_recommend]
impl<'a, T> IntoRooms for &'a Vec<T>
where
    &'a T: Into<Room>,
{
    fn into_rooms(self) -> Vec<Room> {
        self.as_slice().into_rooms()
    }
}

#[diagnostic::do_not_recommend]
impl<'a, T, const N: usize> IntoRooms for &'a [T; N]
where
    &'a T: Into<Room>,
{
    fn into_rooms(self) -> Vec<Room> {
        self.as_slice().into_rooms()
    }
}
