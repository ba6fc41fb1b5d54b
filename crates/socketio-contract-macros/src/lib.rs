//! The attribute of [`socketio-contract`](https://docs.rs/socketio-contract), which documents it.
//!
//! `parse.rs` reads a module into what is declared, with the errors that users meet; `expand.rs` writes
//! the module anew; `client.rs` the client for tests.

mod client;
mod expand;
mod parse;
mod tokens;

use proc_macro::TokenStream;

/// Makes a contract of a module; see the crate `socketio-contract`.
///
/// ```text
/// #[contract(namespace = "/", version = "1.0.0", big = "string")]
/// ```
///
/// - `namespace`: where [`serve`] serves it; `/` unless said.
/// - `version`: what the documents say; `1.0.0` unless said.
/// - `big`: `"string"` makes plain integers of 64 bits an error of the TypeScript writer.
///
/// [`serve`]: https://docs.rs/socketio-contract
#[proc_macro_attribute]
pub fn contract(attributes: TokenStream, module: TokenStream) -> TokenStream {
    parse::contract(attributes.into(), module.into())
        .map_or_else(|error| error.into_compile_error(), |contract| expand::module(&contract))
        .into()
}
