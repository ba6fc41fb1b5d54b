//! Small pieces of what is written.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned;

/// Told at a place of the user's, named as what the macro writes.
pub(crate) fn at(place: Span) -> Span {
    Span::call_site().located_at(place)
}

/// The path of what the crate has for us.
pub(crate) fn private() -> TokenStream {
    quote!(::socketio_contract::__private)
}

/// A parameter of a method of `FromClient`.
pub(crate) fn slot(ty: &Type) -> TokenStream {
    let private = private();
    // messages about a type are told where the type stands
    quote_spanned!(at(ty.span()) => #private::Slot<#ty, { <#private::Is<#ty>>::EXTRACTOR }>)
}
