//! The addon as a module: its functions, and what surrounds each call.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use napi_sys as sys;

use super::{Call, Failure, Value};

/// A function of the addon.
pub(crate) type Function = for<'c> fn(&Call<'c>) -> Result<Value<'c>, Failure>;

/// The oldest Node-API that has all that is used here: that of Node 14.
pub(crate) const NODE_API_VERSION: i32 = 8;

/// Makes the exports of the addon: `functions`, by their names.
pub(crate) fn export(
    env: sys::napi_env,
    exports: sys::napi_value,
    functions: &'static [(&'static str, Function)],
) -> sys::napi_value {
    for (name, function) in functions {
        let (start, length) = (name.as_ptr().cast(), name.len() as isize);
        let data = ptr::from_ref(function).cast_mut().cast::<c_void>();
        let (mut key, mut value) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: Node gave `env` and `exports` for the time of this call. The name is so long, and
        // `data` lives as long as the program. Without a value nothing is set.
        unsafe {
            if sys::napi_create_string_utf8(env, start, length, &mut key) != sys::Status::napi_ok
                || sys::napi_create_function(env, start, length, Some(call), data, &mut value)
                    != sys::Status::napi_ok
            {
                return exports;
            }
            sys::napi_set_property(env, exports, key, value);
        }
    }
    exports
}

/// What Node calls, for each function. A panic does not cross into it.
unsafe extern "C" fn call(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let mut data = ptr::null_mut();
    // SAFETY: both are those of this callback; its data is written to `data`.
    let status = unsafe {
        sys::napi_get_cb_info(
            env,
            info,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &mut data,
        )
    };
    if status != sys::Status::napi_ok {
        return ptr::null_mut();
    }
    // SAFETY: it is what `export` gave, which lives as long as the program.
    let function = unsafe { *data.cast::<Function>() };
    // SAFETY: both are those of this callback, and `call` ends with it.
    let call = unsafe { Call::new(env, info) };
    let result = catch_unwind(AssertUnwindSafe(|| function(&call)));
    let failure = match result {
        Ok(Ok(value)) => return value.raw,
        Ok(Err(failure)) => failure,
        Err(_) => Failure::new("socketio-rs: a function of the addon panicked"),
    };
    call.throw(&failure);
    ptr::null_mut()
}
