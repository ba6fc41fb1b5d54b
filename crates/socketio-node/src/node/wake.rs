//! How other threads have JavaScript come, and what is done when its environment ends.

use std::ffi::c_void;
use std::fmt;
use std::ptr;
use std::sync::{Mutex, PoisonError};

use napi_sys as sys;

use super::{Call, Failure, Value};

/// Calls a function of JavaScript, without arguments, from any thread; its process does not live for it.
pub(crate) struct Wake(Mutex<Option<Handle>>);

/// A thread-safe function of Node.
struct Handle(sys::napi_threadsafe_function);

// SAFETY: Node lets any thread call such a function, as long as it lives: `Wake` forgets it, under its
// lock, before the environment does.
unsafe impl Send for Handle {}

impl Wake {
    /// Wakes by this function.
    pub(crate) fn new<'c>(call: &Call<'c>, function: Value<'c>) -> Result<Self, Failure> {
        let name = call.new_text("socketio-rs")?;
        let mut raw = ptr::null_mut();
        // SAFETY: the values are of this call; neither a context nor a finalizer is given, and calls
        // have no data.
        let status = unsafe {
            sys::napi_create_threadsafe_function(
                call.env(),
                function.raw,
                ptr::null_mut(),
                name.raw,
                0,
                1,
                ptr::null_mut(),
                None,
                ptr::null_mut(),
                None,
                &mut raw,
            )
        };
        call.check(status)?;
        // SAFETY: it was made above, on this thread.
        call.check(unsafe { sys::napi_unref_threadsafe_function(call.env(), raw) })?;
        Ok(Self(Mutex::new(Some(Handle(raw)))))
    }

    /// Has the function called, once for each time, soon.
    pub(crate) fn wake(&self) {
        let handle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Handle(raw)) = &*handle {
            // SAFETY: it lives, as the lock is held and it was not forgotten; the call does not wait.
            unsafe {
                sys::napi_call_threadsafe_function(
                    *raw,
                    ptr::null_mut(),
                    sys::ThreadsafeFunctionCallMode::nonblocking,
                );
            }
        }
    }

    /// Nobody is woken any more, from when this returns.
    pub(crate) fn forget(&self) {
        let handle = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Handle(raw)) = handle {
            // SAFETY: it lives, and nobody has it any more.
            unsafe {
                sys::napi_release_threadsafe_function(
                    raw,
                    sys::ThreadsafeFunctionReleaseMode::abort,
                );
            }
        }
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wake").finish_non_exhaustive()
    }
}

/// What is done when an environment ends: a worker thread of JavaScript, or the process.
pub(crate) trait AtExit: Send + Sync + 'static {
    /// The environment ends; JavaScript does not run any more.
    fn at_exit(&self);
}

impl Call<'_> {
    /// Has it done at the end of the environment, before Node lets go of what was made until now.
    pub(crate) fn at_exit(&self, what: Box<dyn AtExit>) -> Result<(), Failure> {
        let data = Box::into_raw(Box::new(what));
        // SAFETY: `exit` takes `data` back, and Node calls it once.
        let status = unsafe { sys::napi_add_env_cleanup_hook(self.env(), Some(exit), data.cast()) };
        if status != sys::Status::napi_ok {
            // SAFETY: Node has not taken it.
            drop(unsafe { Box::from_raw(data) });
        }
        self.check(status)
    }
}

unsafe extern "C" fn exit(data: *mut c_void) {
    // SAFETY: it is what `at_exit` gave, once.
    let what = unsafe { Box::from_raw(data.cast::<Box<dyn AtExit>>()) };
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| what.at_exit()));
    // a panic must not cross into Node, and nobody is left to be told
    drop(done);
}
