//! Values of Rust that JavaScript owns.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use napi_sys as sys;

use super::{Call, Failure, Value};

/// What tells the values of an addon from those of others: random.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct TypeTag {
    pub(crate) lower: u64,
    pub(crate) upper: u64,
}

// of Node-API 8; the crate does not have them
unsafe extern "C" {
    fn napi_type_tag_object(
        env: sys::napi_env,
        value: sys::napi_value,
        tag: *const TypeTag,
    ) -> sys::napi_status;

    fn napi_check_object_type_tag(
        env: sys::napi_env,
        value: sys::napi_value,
        tag: *const TypeTag,
        result: *mut bool,
    ) -> sys::napi_status;
}

/// A kind of value that JavaScript owns. There is one in this addon, so that a value that is one of
/// Node's externals with its tag is of this type.
pub(crate) trait Owned: Send + Sync + 'static {
    /// The tag of its values.
    const TAG: TypeTag;
}

impl<'c> Call<'c> {
    /// Gives a value to JavaScript, which lets go of it when it is collected.
    pub(crate) fn own<T: Owned>(&self, value: Arc<T>) -> Result<Value<'c>, Failure> {
        let data = Arc::into_raw(value).cast_mut().cast::<c_void>();
        let mut raw = ptr::null_mut();
        // SAFETY: `data` is a count of the `Arc`, which `collected` gives back.
        let status = unsafe {
            sys::napi_create_external(
                self.env(),
                data,
                Some(collected::<T>),
                ptr::null_mut(),
                &mut raw,
            )
        };
        if status != sys::Status::napi_ok {
            // SAFETY: Node has not taken it.
            drop(unsafe { Arc::from_raw(data.cast::<T>()) });
        }
        let value = self.made(status, raw)?;
        // SAFETY: it is an object that was made above; the tag is copied.
        self.check(unsafe { napi_type_tag_object(self.env(), value.raw, &T::TAG) })?;
        Ok(value)
    }

    /// The value that JavaScript owns.
    pub(crate) fn owned<T: Owned>(&self, value: Value<'c>) -> Result<Arc<T>, Failure> {
        let mut is_ours = false;
        // SAFETY: the answer is written to `is_ours`, or an error is given for what is no object.
        let status =
            unsafe { napi_check_object_type_tag(self.env(), value.raw, &T::TAG, &mut is_ours) };
        if status != sys::Status::napi_ok || !is_ours {
            return Err(Failure::wrong_type("no server"));
        }
        let mut data = ptr::null_mut();
        // SAFETY: objects with the tag are externals that `own` made.
        self.check(unsafe { sys::napi_get_value_external(self.env(), value.raw, &mut data) })?;
        let data = data.cast::<T>().cast_const();
        // SAFETY: it is of this type by its tag, and alive as `value` is: one count more is taken.
        unsafe {
            Arc::increment_strong_count(data);
            Ok(Arc::from_raw(data))
        }
    }
}

unsafe extern "C" fn collected<T: Owned>(_: sys::napi_env, data: *mut c_void, _: *mut c_void) {
    // SAFETY: it is the count that `own` gave, and Node calls this once.
    drop(unsafe { Arc::from_raw(data.cast::<T>().cast_const()) });
}
