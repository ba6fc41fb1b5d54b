//! The module, written anew.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, LitStr, Type};

use crate::client;
use crate::parse::{Ack, Contract, Event, Side, docs};
use crate::tokens::{at, private, slot};

pub(crate) fn module(contract: &Contract) -> TokenStream {
    let Contract { module, items, from_client, to_client, options } = contract;
    let (attributes, visibility, name) = (&module.attrs, &module.vis, &module.ident);
    let namespace = &options.namespace;
    let from = from_client.as_ref().map(from_client_side);
    let to = to_client.as_ref().map(to_client_side);
    let client = if cfg!(feature = "testkit") { client::client(contract) } else { quote!() };
    let description = description(contract);
    let hidden = hidden_events(contract);
    quote! {
        #(#attributes)*
        #visibility mod #name {
            #(#items)*
            #hidden
            #from
            #to
            #client

            /// The namespace of the contract.
            #[allow(dead_code, unreachable_pub)]
            pub const NAMESPACE: &str = #namespace;

            #description
        }
    }
}

/// A type for each event, by whose name messages of the compiler tell which event they are about.
fn hidden_events(contract: &Contract) -> TokenStream {
    let modules = [("from_client", &contract.from_client), ("to_client", &contract.to_client)];
    let modules = modules.into_iter().filter_map(|(name, side)| Some((name, side.as_ref()?)));
    let modules = modules.map(|(name, side)| {
        let name = Ident::new(name, Span::call_site());
        let events = side.events.iter().map(Event::ident);
        quote! {
            #[doc(hidden)]
            #[allow(
                dead_code,
                missing_debug_implementations,
                missing_docs,
                non_camel_case_types,
                unnameable_types,
                unreachable_pub
            )]
            mod #name {
                #(pub(super) struct #events;)*
            }
        }
    });
    quote!(#(#modules)*)
}

// ---- what clients send --------------------------------------------------------------------------

fn from_client_side(side: &Side) -> TokenStream {
    let private = private();
    let item = &side.item;
    let (attributes, visibility, unsafety) = (&item.attrs, &item.vis, &item.unsafety);
    let supertraits = item.supertraits.iter();
    let methods = side.events.iter().map(|event| {
        let mut method = event.method.clone();
        if method.sig.asyncness.take().is_some() {
            let output = match &event.method.sig.output {
                syn::ReturnType::Default => quote!(()),
                syn::ReturnType::Type(_, ty) => quote!(#ty),
            };
            let (attributes, name, inputs) = (&method.attrs, &method.sig.ident, &method.sig.inputs);
            quote_spanned! { at(name.span()) =>
                #(#attributes)*
                fn #name(#inputs) -> impl ::core::future::Future<Output = #output> + ::core::marker::Send;
            }
        } else {
            quote!(#method)
        }
    });
    let declared = side.events.iter().enumerate().map(|(index, event)| declared(index, event));
    let listeners = side.events.iter().map(listener);
    let names = side.events.iter().map(|event| &event.name);
    quote! {
        #(#attributes)*
        #visibility #unsafety trait FromClient:
            #(#supertraits +)* ::core::marker::Send + ::core::marker::Sync + 'static
        {
            #(#methods)*
        }

        const _: () = {
            // what is no extractor is found to be none by this
            use #private::NoExtractor as _;
            #(#declared)*
        };

        /// Serves the contract: the events that it declares are given to the handler, whichever
        /// socket of the namespace they come from. With the default rules.
        #[allow(dead_code)]
        #visibility fn serve<H: FromClient>(
            place: &impl ::socketio_contract::Place,
            handler: H,
        ) -> ::socketio_contract::Served {
            serve_with(place, handler, ::socketio_contract::Rules::new())
        }

        /// Serves the contract, with rules of one's own for events that break it.
        #[allow(dead_code)]
        #visibility fn serve_with<H: FromClient>(
            place: &impl ::socketio_contract::Place,
            handler: H,
            rules: ::socketio_contract::Rules,
        ) -> ::socketio_contract::Served {
            const EVENTS: &[&str] = &[#(#names),*];
            let place = ::socketio_contract::Place::namespace(place, NAMESPACE);
            let served = ::socketio_contract::Served::new(rules, NAMESPACE, EVENTS, &place);
            let handler = ::std::sync::Arc::new(handler);
            #(#listeners)*
            served
        }
    }
}

/// How an event is read.
fn declared(index: usize, event: &Event) -> TokenStream {
    let private = private();
    let (ident, name) = (event.ident(), &event.name);
    let answers_result = matches!(event.ack, Ack::Result(..));
    let slots = event.arguments.iter().map(|argument| slot(&argument.ty));
    let check = check(event);
    quote_spanned! { at(ident.span()) =>
        impl #private::Declared for from_client::#ident {
            const NAME: &'static str = #name;
            const INDEX: usize = #index;
            const ANSWERS_RESULT: bool = #answers_result;
            type Arguments = (#(#slots,)*);
            #check
        }
    }
}

fn check(event: &Event) -> TokenStream {
    if event.arguments.iter().all(|argument| argument.checks.is_empty()) {
        return quote!();
    }
    let private = private();
    let ident = event.ident();
    let names: Vec<Ident> = numbered(event.arguments.len());
    let checks =
        event.arguments.iter().zip(&names).enumerate().flat_map(|(position, (argument, name))| {
            argument.checks.iter().map(move |check| {
                let private = crate::tokens::private();
                quote_spanned! { at(check.span()) =>
                    let checked: ::core::result::Result<(), ::socketio_contract::Invalid> =
                        (#check)(#name);
                    if let ::core::result::Result::Err(invalid) = checked {
                        let are_sent = <<Self as #private::Declared>::Arguments
                            as #private::Arguments<Self>>::ARE_SENT;
                        let index = #private::index_on_the_wire(are_sent, #position);
                        return ::core::result::Result::Err(invalid.in_argument(index));
                    }
                }
            })
        });
    quote! {
        #[allow(unused_variables)]
        fn check(
            (#(#names,)*): &#private::Values<from_client::#ident>,
        ) -> ::core::result::Result<(), ::socketio_contract::Invalid> {
            #(#checks)*
            ::core::result::Result::Ok(())
        }
    }
}

/// How it gets to its method.
fn listener(event: &Event) -> TokenStream {
    let private = private();
    let (ident, name) = (event.ident(), &event.name);
    let values: Vec<Ident> = numbered(event.arguments.len());
    let here = at(ident.span());
    let open = quote_spanned! { here =>
        let (#(#values,)*) = match incoming.open(&served) {
            ::core::result::Result::Ok(values) => values,
            ::core::result::Result::Err(refused) => return refused,
        };
    };
    let wait = event.is_async().then(|| quote!(.await));
    let call = quote_spanned!(here => FromClient::#ident(&*handler, #(#values),*)#wait);
    let answer = match event.ack {
        Ack::None => quote_spanned!(here => { #call; #private::NoAnswer }),
        Ack::Empty => quote_spanned!(here => { #call; #private::Empty }),
        Ack::Plain(_) => quote_spanned!(here => #private::Plain(#call)),
        Ack::Result(..) => quote_spanned!(here => #private::Tagged(#call)),
    };
    let body = quote_spanned! { here =>
        #open
        let answer = #answer;
        #private::Answered::value(answer)
    };
    let body = if event.is_async() { quote_spanned!(here => async move { #body }) } else { body };
    quote_spanned! { at(ident.span()) =>
        #private::Listens::on_declared(&place, #name, {
            let (handler, served) = (::std::sync::Arc::clone(&handler), served.clone());
            move |incoming: #private::Incoming<from_client::#ident>| { #body }
        });
    }
}

fn numbered(count: usize) -> Vec<Ident> {
    (0..count).map(|at| format_ident!("argument_{at}")).collect()
}

// ---- what clients hear --------------------------------------------------------------------------

fn to_client_side(side: &Side) -> TokenStream {
    let private = private();
    let (attributes, visibility) = (&side.item.attrs, &side.item.vis);
    let (asking, plain): (Vec<&Event>, Vec<&Event>) =
        side.events.iter().partition(|event| event.is_async());
    let plain = plain.into_iter().map(|event| {
        let (ident, name, inputs) = (event.ident(), &event.name, &event.method.sig.inputs);
        let (attributes, values) = (&event.method.attrs, sent_values(event));
        quote_spanned! { at(ident.span()) =>
            #(#attributes)*
            #[allow(dead_code)]
            #visibility fn #ident(
                &self,
                #inputs
            ) -> ::core::result::Result<(), #private::EmitError> {
                ::socketio_contract::Target::emit_declared(&self.0, #name, #values)
            }
        }
    });
    let one = asking.iter().map(|event| {
        let (ident, name, inputs) = (event.ident(), &event.name, &event.method.sig.inputs);
        let (attributes, values, wire) =
            (&event.method.attrs, sent_values(event), wire(&event.ack));
        quote_spanned! { at(ident.span()) =>
            #(#attributes)*
            #[allow(dead_code)]
            #visibility fn #ident(&self, #inputs) -> ::socketio_contract::Asked<#wire> {
                ::socketio_contract::OneClient::ask_declared(&self.0, #name, #values)
            }
        }
    });
    let many = if asking.is_empty() { quote!() } else { many(visibility, &asking) };
    quote! {
        #(#attributes)*
        #[derive(Clone, Copy, Debug)]
        #visibility struct ToClient<T>(T);

        /// The events that the clients of a target hear: one socket, rooms, a namespace, ...
        #[allow(dead_code)]
        #visibility fn to<T: ::socketio_contract::Target>(target: T) -> ToClient<T> {
            ToClient(target)
        }

        impl<T: ::socketio_contract::Target> ToClient<T> {
            #(#plain)*
        }

        impl<T: ::socketio_contract::OneClient> ToClient<T> {
            #(#one)*
        }

        #many
    }
}

/// The events with an acknowledgement, to many clients at once.
fn many(visibility: &syn::Visibility, asking: &[&Event]) -> TokenStream {
    let private = private();
    let methods = asking.iter().map(|event| {
        let (ident, name, inputs) = (event.ident(), &event.name, &event.method.sig.inputs);
        let (attributes, values, wire) =
            (&event.method.attrs, sent_values(event), wire(&event.ack));
        quote_spanned! { at(ident.span()) =>
            #(#attributes)*
            #[allow(dead_code)]
            #visibility async fn #ident(
                &self,
                #inputs
            ) -> ::core::result::Result<
                #private::BroadcastAcks<<#wire as #private::FromWire>::Value>,
                #private::EmitError,
            > {
                self.0.ask_declared::<#wire>(#name, #values).await
            }
        }
    });
    quote! {
        /// The events that many clients acknowledge, see [`within`].
        #[derive(Debug)]
        #visibility struct ToClients(::socketio_contract::Within);

        /// The events that all clients of rooms or of a namespace are asked to acknowledge, within
        /// a time.
        #[allow(dead_code)]
        #visibility fn within(
            target: impl ::socketio_contract::ManyClients,
            timeout: ::core::time::Duration,
        ) -> ToClients {
            ToClients(::socketio_contract::ManyClients::within(target, timeout))
        }

        impl ToClients {
            #(#methods)*
        }
    }
}

/// The tuple of an event's arguments: as many on the wire as there are.
fn sent_values(event: &Event) -> TokenStream {
    let names = event.arguments.iter().map(|argument| &argument.name);
    quote!((#(#names,)*))
}

/// How an acknowledgement is read.
fn wire(ack: &Ack) -> TokenStream {
    let private = private();
    match ack {
        Ack::None | Ack::Empty => quote!(#private::Nothing),
        Ack::Plain(ty) => quote!(#private::One<#ty>),
        Ack::Result(value, error) => quote!(#private::OneTagged<#value, #error>),
    }
}

// ---- the description ----------------------------------------------------------------------------

fn description(contract: &Contract) -> TokenStream {
    let private = private();
    let name = contract.module.ident.to_string();
    let name = LitStr::new(name.trim_start_matches("r#"), contract.module.ident.span());
    let docs_of_module = docs(&contract.module.attrs);
    let version = &contract.options.version;
    let big = match contract.options.big_as_string {
        true => quote!(String),
        false => quote!(Number),
    };
    let from = contract.from_client.iter().flat_map(|side| &side.events);
    let from = from.map(|event| {
        let ident = event.ident();
        let names = event.arguments.iter().map(|argument| plain_name(&argument.name));
        let ack = described_ack(event, &quote!(from_client::#ident), "");
        described(
            event,
            "FromClient",
            &quote! {
                #private::describe::<from_client::#ident>(event, &[#(#names),*]);
                #ack
            },
        )
    });
    let to = contract.to_client.iter().flat_map(|side| &side.events);
    let to = to.map(|event| {
        let ident = event.ident();
        let arguments = event.arguments.iter().map(|argument| {
            let (name, ty) = (plain_name(&argument.name), behind_reference(&argument.ty));
            quote_spanned!(at(argument.ty.span()) => event.heard::<to_client::#ident, #ty>(#name);)
        });
        let ack = described_ack(event, &quote!(to_client::#ident), "_by_client");
        described(event, "ToClient", &quote!(#(#arguments)* #ack))
    });
    quote! {
        /// The contract as data: TypeScript, AsyncAPI, the names of its events.
        #[allow(dead_code, unreachable_pub)]
        pub fn contract() -> ::socketio_contract::Contract {
            let mut contract = #private::ContractBuilder::new(
                #name,
                NAMESPACE,
                #version,
                #docs_of_module,
                ::socketio_contract::Big64::#big,
            );
            #(#from)*
            #(#to)*
            contract.build()
        }
    }
}

fn described(event: &Event, direction: &str, how: &TokenStream) -> TokenStream {
    let (name, docs) = (&event.name, docs(&event.method.attrs));
    let method = plain_name(event.ident());
    let direction = Ident::new(direction, Span::call_site());
    quote! {
        contract.event(
            ::socketio_contract::Direction::#direction,
            #name,
            #method,
            #docs,
            |event| { let _ = &event; #how },
        );
    }
}

fn described_ack(event: &Event, marker: &TokenStream, by: &str) -> TokenStream {
    match &event.ack {
        Ack::None => quote!(),
        Ack::Empty => quote!(event.acknowledged();),
        Ack::Plain(ty) => {
            let method = format_ident!("answered{by}");
            quote_spanned!(at(ty.span()) => event.#method::<#marker, #ty>();)
        }
        Ack::Result(value, error) => {
            let method = format_ident!("answered_result{by}");
            quote_spanned!(at(value.span()) => event.#method::<#marker, #value, #error>();)
        }
    }
}

fn behind_reference(ty: &Type) -> &Type {
    match ty {
        Type::Reference(reference) => &reference.elem,
        ty => ty,
    }
}

fn plain_name(ident: &Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}
