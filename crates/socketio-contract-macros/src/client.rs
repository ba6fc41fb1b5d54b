//! The client for tests: the contract with the roles swapped.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{GenericArgument, Ident, Lifetime, PathArguments, Type, Visibility, parse_quote};

use crate::parse::{Ack, Contract, Event};
use crate::tokens::{at, private, slot};

pub(crate) fn client(contract: &Contract) -> TokenStream {
    let private = private();
    let sides = [&contract.from_client, &contract.to_client];
    let Some(visibility) = sides.into_iter().flatten().map(|side| &side.item.vis).next() else {
        return quote!();
    };
    let sends = contract.from_client.iter().flat_map(|side| &side.events);
    let sends = sends.map(|event| send(event, visibility));
    let hears = contract.to_client.iter().flat_map(|side| &side.events);
    let hears = hears.map(|event| hear(event, visibility));
    quote! {
        /// A client for tests that speaks the contract: its methods send what clients may send,
        /// those of [`hears`](Client::hears) wait for what they hear. It panics if the server does
        /// something else.
        #[allow(dead_code)]
        #[derive(Debug)]
        #visibility struct Client<X = ()> {
            client: ::socketio_contract::ContractClient,
            typed_where_called: ::core::marker::PhantomData<X>,
        }

        /// What a client hears, see [`Client::hears`].
        #[allow(dead_code)]
        #[derive(Debug)]
        #visibility struct Hears<'a, X = ()>(&'a mut Client<X>);

        /// A client for tests, made of one of `socketio-testkit` that has joined the namespace.
        #[allow(dead_code)]
        #visibility fn client(client: #private::testkit::Client) -> Client {
            Client {
                client: ::socketio_contract::ContractClient::new(client),
                typed_where_called: ::core::marker::PhantomData,
            }
        }

        #[allow(dead_code)]
        impl<X> Client<X> {
            /// The client, for what is not in the contract.
            #visibility fn raw(&mut self) -> &mut #private::testkit::Client {
                self.client.raw()
            }

            /// Waits for the next event, which must be the one whose method is called.
            #visibility fn hears(&mut self) -> Hears<'_, X> {
                Hears(self)
            }
        }

        #[allow(clippy::needless_pass_by_value, private_bounds, private_interfaces)]
        const _: () = {
            use #private::NoExtractor as _;

            #[allow(dead_code)]
            impl<X> Client<X> {
                #(#sends)*
            }

            #[allow(dead_code)]
            impl<X> Hears<'_, X> {
                #(#hears)*
            }
        };
    }
}

/// Sends an event. What is made from the event at the server is left out; an extractor that has
/// no name of ours is given as `()`.
fn send(event: &Event, visibility: &Visibility) -> TokenStream {
    let private = private();
    let (ident, name, attributes) = (event.ident(), &event.name, &event.method.attrs);
    let sent: Vec<_> = event.arguments.iter().filter(|one| !is_extractor(&one.ty)).collect();
    let names: Vec<&Ident> = sent.iter().map(|argument| &argument.name).collect();
    let slots: Vec<TokenStream> = sent.iter().map(|argument| slot(&argument.ty)).collect();
    let types: Vec<TokenStream> =
        slots.iter().map(|slot| quote!(<#slot as #private::Argument<()>>::Read)).collect();
    let (result, wait, bounds) = match &event.ack {
        Ack::None => (quote!(()), quote!(self.client.emit(#name, sending).await), quote!()),
        Ack::Empty => {
            (quote!(()), quote!(self.client.ask(#name, sending).await.expect(0)), quote!())
        }
        Ack::Plain(ty) => (
            quote!(#ty),
            quote! {{
                let told = self.client.ask(#name, sending).await;
                told.expect(1);
                told.read::<#private::Lazily<#ty, X>>(0)
            }},
            quote!(#private::Lazily<#ty, X>: #private::Hearable<Value = #ty>,),
        ),
        Ack::Result(value, error) => {
            let refused = quote!(::socketio_contract::Refused<#error>);
            let tagged = quote!(#private::Tagged<#value, #refused>);
            (
                quote!(::core::result::Result<#value, #refused>),
                quote! {{
                    let told = self.client.ask(#name, sending).await;
                    told.expect(1);
                    told.read::<#private::Lazily<#tagged, X>>(0).0
                }},
                quote!(#private::Lazily<#tagged, X>: #private::Hearable<Value = #tagged>,),
            )
        }
    };
    quote_spanned! { at(ident.span()) =>
        #(#attributes)*
        #[allow(unused_mut)]
        #visibility async fn #ident(&mut self, #(#names: #types),*) -> #result
        where
            #(#private::Lazily<#types, X>: ::socketio_contract::__private::serde::Serialize,)*
            #bounds
        {
            let mut sending = #private::Sending::default();
            #(
                if <#slots as #private::Argument<()>>::IS_SENT {
                    #private::sent_value(&mut sending, &#private::Lazily::<_, X>::new(#names));
                }
            )*
            #wait
        }
    }
}

/// Waits for an event, and answers it.
fn hear(event: &Event, visibility: &Visibility) -> TokenStream {
    let private = private();
    let (ident, name, attributes) = (event.ident(), &event.name, &event.method.attrs);
    let types: Vec<Type> = event.arguments.iter().map(|argument| owned(&argument.ty)).collect();
    let indices = 0..types.len();
    let count = types.len();
    let reads = types
        .iter()
        .zip(indices)
        .map(|(ty, index)| quote!(told.read::<#private::Lazily<#ty, X>>(#index)));
    let (result, read) = match &*types {
        [ty] => (quote!(#ty), quote!(#(#reads)*)),
        types => (quote!((#(#types,)*)), quote!((#(#reads,)*))),
    };
    let (parameter, answer, bounds) = match &event.ack {
        Ack::None => (quote!(), quote!(), quote!()),
        Ack::Empty => (
            quote!(),
            quote!(self.0.client.answer(&event, #private::Sending::default()).await;),
            quote!(),
        ),
        Ack::Plain(ty) => answered(&quote!(#ty), &quote!(answer)),
        Ack::Result(value, error) => answered(
            &quote!(::core::result::Result<#value, #error>),
            &quote!(#private::Tagged(answer)),
        ),
    };
    let bounds = match &event.ack {
        Ack::Result(value, error) => {
            let tagged = quote!(#private::Tagged<#value, #error>);
            quote!(#private::Lazily<#tagged, X>: ::socketio_contract::__private::serde::Serialize,)
        }
        _ => bounds,
    };
    let event_name = format_ident!("event");
    quote_spanned! { at(ident.span()) =>
        #(#attributes)*
        #[allow(clippy::unused_unit, unused_variables)]
        #visibility async fn #ident(self, #parameter) -> #result
        where
            #(#private::Lazily<#types, X>: #private::Hearable<Value = #types>,)*
            #bounds
        {
            let (told, #event_name) = self.0.client.hear(#name).await;
            told.expect(#count);
            let heard = #read;
            #answer
            heard
        }
    }
}

fn answered(ty: &TokenStream, value: &TokenStream) -> (TokenStream, TokenStream, TokenStream) {
    let private = private();
    (
        quote!(answer: #ty),
        quote! {
            let mut sending = #private::Sending::default();
            #private::sent_value(&mut sending, &#private::Lazily::<_, X>::new(#value));
            self.0.client.answer(&event, sending).await;
        },
        quote!(#private::Lazily<#ty, X>: ::socketio_contract::__private::serde::Serialize,),
    )
}

/// Whether a type is one of the library's extractors, by its name.
fn is_extractor(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    let names = ["Ack", "Auth", "EventName", "Query", "Socket", "State"];
    path.path.segments.last().is_some_and(|last| names.iter().any(|name| last.ident == name))
}

/// The type as one that owns what it has: `&str` as `String`, `&[T]` as `Vec<T>`, `&T` as `T`.
fn owned(ty: &Type) -> Type {
    match ty {
        Type::Reference(reference) => match &*reference.elem {
            Type::Slice(slice) => {
                let element = owned(&slice.elem);
                parse_quote!(::std::vec::Vec<#element>)
            }
            Type::Path(path) if path.path.is_ident("str") => parse_quote!(::std::string::String),
            element => owned(element),
        },
        Type::Tuple(tuple) => {
            let elements = tuple.elems.iter().map(owned);
            parse_quote!((#(#elements,)*))
        }
        Type::Array(array) => {
            let mut array = array.clone();
            *array.elem = owned(&array.elem);
            Type::Array(array)
        }
        Type::Path(path) => {
            let mut path = path.clone();
            for segment in &mut path.path.segments {
                let PathArguments::AngleBracketed(arguments) = &mut segment.arguments else {
                    continue;
                };
                for argument in &mut arguments.args {
                    match argument {
                        GenericArgument::Type(ty) => *ty = owned(ty),
                        GenericArgument::Lifetime(lifetime) => {
                            *lifetime = Lifetime::new("'static", lifetime.span());
                        }
                        _ => {}
                    }
                }
            }
            Type::Path(path)
        }
        ty => ty.clone(),
    }
}
