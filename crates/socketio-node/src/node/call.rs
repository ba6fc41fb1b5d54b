//! A function called by JavaScript: its arguments, and the values that it makes.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr;
use std::slice;

use bytes::Bytes;
use napi_sys as sys;

use super::{Failure, Kind};

/// A call from JavaScript: values live as long as it does.
#[derive(Debug)]
pub(crate) struct Call<'c> {
    env: sys::napi_env,
    arguments: [sys::napi_value; MAX_ARGUMENTS],
    count: usize,
    _call: PhantomData<&'c ()>,
}

/// A value of JavaScript.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'c> {
    pub(super) raw: sys::napi_value,
    _call: PhantomData<&'c ()>,
}

/// The most arguments that a function of the addon takes.
const MAX_ARGUMENTS: usize = 8;

/// Bytes from which on a buffer keeps the memory of Rust alive instead of copying it.
const EXTERNAL: usize = 16 * 1024;

impl<'c> Call<'c> {
    /// The call that Node makes.
    ///
    /// # Safety
    /// Both must be those of a callback that runs, and the result must not outlive it.
    pub(super) unsafe fn new(env: sys::napi_env, info: sys::napi_callback_info) -> Self {
        let mut arguments = [ptr::null_mut(); MAX_ARGUMENTS];
        let mut count = MAX_ARGUMENTS;
        // SAFETY: `arguments` has room for `count` values; the rest is not asked for.
        let status = unsafe {
            sys::napi_get_cb_info(
                env,
                info,
                &mut count,
                arguments.as_mut_ptr(),
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        if status != sys::Status::napi_ok {
            count = 0;
        }
        Self { env, arguments, count: count.min(MAX_ARGUMENTS), _call: PhantomData }
    }

    pub(super) const fn env(&self) -> sys::napi_env {
        self.env
    }

    /// An argument.
    pub(crate) fn argument(&self, at: usize) -> Result<Value<'c>, Failure> {
        match self.arguments[..self.count].get(at) {
            Some(&raw) => Ok(self.value(raw)),
            None => Err(Failure::wrong_type("an argument is missing")),
        }
    }

    pub(super) const fn value(&self, raw: sys::napi_value) -> Value<'c> {
        Value { raw, _call: PhantomData }
    }

    // ---- what values are ----------------------------------------------------------------------

    /// A text, in one pass: UTF-8 takes at most three bytes for a unit of UTF-16.
    pub(crate) fn text(&self, value: Value<'c>) -> Result<String, Failure> {
        let mut units = 0;
        // SAFETY: without a buffer the length in units is given, which takes no pass over the text.
        let status = unsafe {
            sys::napi_get_value_string_utf16(self.env, value.raw, ptr::null_mut(), 0, &mut units)
        };
        if status != sys::Status::napi_ok {
            return Err(Failure::wrong_type("no text"));
        }
        let capacity = units * 3 + 1;
        let mut text: Vec<u8> = Vec::with_capacity(capacity);
        let mut written = 0;
        // SAFETY: `text` has room for `capacity` bytes, of which Node writes at most so many, a NUL
        // included, and says how many without it.
        let status = unsafe {
            sys::napi_get_value_string_utf8(
                self.env,
                value.raw,
                text.as_mut_ptr().cast(),
                capacity,
                &mut written,
            )
        };
        self.check(status)?;
        // SAFETY: so many bytes were written.
        unsafe { text.set_len(written) };
        // lone surrogates were replaced by Node
        String::from_utf8(text).map_err(|_| Failure::wrong_type("no text"))
    }

    /// A whole number that is not negative.
    pub(crate) fn number(&self, value: Value<'c>) -> Result<u32, Failure> {
        let mut number = 0;
        // SAFETY: a number is written to `number` or none is.
        let status = unsafe { sys::napi_get_value_uint32(self.env, value.raw, &mut number) };
        self.check(status)?;
        Ok(number)
    }

    /// A whole number.
    pub(crate) fn signed(&self, value: Value<'c>) -> Result<i32, Failure> {
        let mut number = 0;
        // SAFETY: a number is written to `number` or none is.
        let status = unsafe { sys::napi_get_value_int32(self.env, value.raw, &mut number) };
        self.check(status)?;
        Ok(number)
    }

    /// A copy of what is in a `Uint8Array`, such as a `Buffer`; `None` for `null` and `undefined`.
    pub(crate) fn bytes(&self, value: Value<'c>) -> Result<Option<Bytes>, Failure> {
        let mut kind = 0;
        // SAFETY: the kind is written to `kind`.
        let status = unsafe { sys::napi_typeof(self.env, value.raw, &mut kind) };
        self.check(status)?;
        if [sys::ValueType::napi_null, sys::ValueType::napi_undefined].contains(&kind) {
            return Ok(None);
        }
        let (mut data, mut length) = (ptr::null_mut::<c_void>(), 0);
        // SAFETY: the place and the length are written to both, or an error is given.
        let status =
            unsafe { sys::napi_get_buffer_info(self.env, value.raw, &mut data, &mut length) };
        self.check(status)?;
        if length == 0 || data.is_null() {
            return Ok(Some(Bytes::new()));
        }
        // SAFETY: Node's memory of that length, which nobody changes during this call: JavaScript
        // waits for it.
        let bytes = unsafe { slice::from_raw_parts(data.cast::<u8>(), length) };
        Ok(Some(Bytes::copy_from_slice(bytes)))
    }

    /// Copies of what is in an array of buffers; none for `null` and `undefined`.
    pub(crate) fn all_bytes(&self, value: Value<'c>) -> Result<Vec<Bytes>, Failure> {
        let mut is_array = false;
        // SAFETY: the answer is written to `is_array`.
        self.check(unsafe { sys::napi_is_array(self.env, value.raw, &mut is_array) })?;
        if !is_array {
            return Ok(Vec::new());
        }
        let mut length = 0;
        // SAFETY: it is an array; its length is written to `length`.
        self.check(unsafe { sys::napi_get_array_length(self.env, value.raw, &mut length) })?;
        let mut all = Vec::with_capacity(length as usize);
        for at in 0..length {
            let mut element = ptr::null_mut();
            // SAFETY: it is an array; the element is written to `element`.
            let status = unsafe { sys::napi_get_element(self.env, value.raw, at, &mut element) };
            self.check(status)?;
            all.push(self.bytes(self.value(element))?.unwrap_or_default());
        }
        Ok(all)
    }

    // ---- values that are made -----------------------------------------------------------------

    /// `undefined`.
    pub(crate) fn undefined(&self) -> Result<Value<'c>, Failure> {
        let mut raw = ptr::null_mut();
        // SAFETY: the value is written to `raw`.
        let status = unsafe { sys::napi_get_undefined(self.env, &mut raw) };
        self.made(status, raw)
    }

    /// A truth value.
    pub(crate) fn boolean(&self, is: bool) -> Result<Value<'c>, Failure> {
        let mut raw = ptr::null_mut();
        // SAFETY: the value is written to `raw`.
        let status = unsafe { sys::napi_get_boolean(self.env, is, &mut raw) };
        self.made(status, raw)
    }

    /// A text; with one byte a character if it is ASCII.
    pub(crate) fn new_text(&self, text: &str) -> Result<Value<'c>, Failure> {
        let mut raw = ptr::null_mut();
        let (start, length) = (text.as_ptr().cast(), text.len() as isize);
        let status = match text.is_ascii() {
            // SAFETY: so many bytes are there, and they are ASCII, thus Latin-1.
            true => unsafe { sys::napi_create_string_latin1(self.env, start, length, &mut raw) },
            // SAFETY: so many bytes are there.
            false => unsafe { sys::napi_create_string_utf8(self.env, start, length, &mut raw) },
        };
        self.made(status, raw)
    }

    /// A `Buffer`: small ones are copies, large ones keep the bytes alive.
    pub(crate) fn new_buffer(&self, bytes: Bytes) -> Result<Value<'c>, Failure> {
        let mut raw = ptr::null_mut();
        if bytes.len() >= EXTERNAL {
            let (start, length) = (bytes.as_ptr(), bytes.len());
            let hint = Box::into_raw(Box::new(bytes));
            // SAFETY: the bytes stay where they are until `let_go` drops what `hint` points to.
            // JavaScript may write to them: nobody in Rust reads them any more, as records are the
            // last that have them.
            let status = unsafe {
                sys::napi_create_external_buffer(
                    self.env,
                    length,
                    start.cast_mut().cast(),
                    Some(let_go),
                    hint.cast(),
                    &mut raw,
                )
            };
            if status == sys::Status::napi_ok {
                return Ok(self.value(raw));
            }
            // SAFETY: Node has not taken it, as in runtimes that forbid external buffers.
            let bytes = unsafe { Box::from_raw(hint) };
            return self.copied_buffer(&bytes);
        }
        self.copied_buffer(&bytes)
    }

    fn copied_buffer(&self, bytes: &[u8]) -> Result<Value<'c>, Failure> {
        let mut raw = ptr::null_mut();
        // SAFETY: so many bytes are there, and are copied.
        let status = unsafe {
            sys::napi_create_buffer_copy(
                self.env,
                bytes.len(),
                bytes.as_ptr().cast(),
                ptr::null_mut(),
                &mut raw,
            )
        };
        self.made(status, raw)
    }

    /// Puts a value at the end of an array that has `length` elements.
    pub(crate) fn put(
        &self,
        array: Value<'c>,
        length: u32,
        value: Value<'c>,
    ) -> Result<(), Failure> {
        // SAFETY: both are values of this call; Node says if the first is no object.
        self.check(unsafe { sys::napi_set_element(self.env, array.raw, length, value.raw) })
    }

    // ---- errors ---------------------------------------------------------------------------------

    /// Throws an error, which JavaScript sees when this call returns.
    pub(super) fn throw(&self, failure: &Failure) {
        let Ok(message) = self.new_text(&failure.message) else { return };
        let code = failure.code.and_then(|code| self.new_text(code).ok());
        let code = code.map_or(ptr::null_mut(), |code| code.raw);
        let mut error = ptr::null_mut();
        // SAFETY: the message is a text, the code a text or none, as these functions want it.
        let status = unsafe {
            match failure.kind {
                Kind::Error => sys::napi_create_error(self.env, code, message.raw, &mut error),
                Kind::Type => sys::napi_create_type_error(self.env, code, message.raw, &mut error),
                Kind::Range => {
                    sys::napi_create_range_error(self.env, code, message.raw, &mut error)
                }
            }
        };
        if status == sys::Status::napi_ok {
            // SAFETY: `error` was made above.
            unsafe { sys::napi_throw(self.env, error) };
        }
    }

    pub(super) fn made(
        &self,
        status: sys::napi_status,
        raw: sys::napi_value,
    ) -> Result<Value<'c>, Failure> {
        self.check(status).map(|()| self.value(raw))
    }

    pub(super) fn check(&self, status: sys::napi_status) -> Result<(), Failure> {
        match status {
            sys::Status::napi_ok => Ok(()),
            status => Err(Failure::wrong_type(format!("Node-API: status {status}"))),
        }
    }
}

/// The end of an external buffer.
unsafe extern "C" fn let_go(_: sys::napi_env, _: *mut c_void, hint: *mut c_void) {
    // SAFETY: it is what `new_buffer` leaked, and Node calls this once.
    drop(unsafe { Box::from_raw(hint.cast::<Bytes>()) });
}
