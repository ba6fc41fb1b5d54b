//! A module, read into what it declares.

use proc_macro2::{Span, TokenStream};
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, Expr, ExprLit, FnArg, GenericArgument, Ident, Item, ItemMod, ItemTrait, Lit,
    LitStr, Meta, Pat, PathArguments, ReceiverKind, Result, ReturnType, TraitItem, TraitItemFn,
    Type,
};

/// What the attribute was given.
pub(crate) struct Options {
    pub(crate) namespace: LitStr,
    pub(crate) version: LitStr,
    pub(crate) big_as_string: bool,
}

/// A module with a contract.
pub(crate) struct Contract {
    pub(crate) options: Options,
    /// Without its content.
    pub(crate) module: ItemMod,
    /// Its content but for the two traits.
    pub(crate) items: Vec<Item>,
    pub(crate) from_client: Option<Side>,
    pub(crate) to_client: Option<Side>,
}

/// One of the two traits.
pub(crate) struct Side {
    /// Without its methods.
    pub(crate) item: ItemTrait,
    pub(crate) events: Vec<Event>,
}

/// A method of one of them.
pub(crate) struct Event {
    pub(crate) name: LitStr,
    /// With neither our attributes nor a body.
    pub(crate) method: TraitItemFn,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) ack: Ack,
}

pub(crate) struct Argument {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    /// The functions of `#[check(..)]`.
    pub(crate) checks: Vec<Expr>,
}

/// What is acknowledged.
pub(crate) enum Ack {
    None,
    Empty,
    Plain(Box<Type>),
    Result(Box<Type>, Box<Type>),
}

impl Event {
    pub(crate) fn is_async(&self) -> bool {
        self.method.sig.asyncness.is_some()
    }

    pub(crate) fn ident(&self) -> &Ident {
        &self.method.sig.ident
    }
}

pub(crate) fn contract(attributes: TokenStream, module: TokenStream) -> Result<Contract> {
    let options = options(attributes)?;
    let mut module: ItemMod = syn::parse2(module)?;
    let Some((_, content)) = module.content.take() else {
        return Err(Error::new(module.span(), "a contract is a module with its content: `{ .. }`"));
    };
    let mut contract =
        Contract { options, module, items: Vec::new(), from_client: None, to_client: None };
    for item in content {
        match item {
            Item::Trait(item) if item.ident == "FromClient" => {
                contract.from_client = Some(side(item, true)?);
            }
            Item::Trait(item) if item.ident == "ToClient" => {
                contract.to_client = Some(side(item, false)?);
            }
            item => contract.items.push(item),
        }
    }
    if contract.from_client.is_none() && contract.to_client.is_none() {
        let message = "a contract has a `trait FromClient`, a `trait ToClient`, or both";
        return Err(Error::new(contract.module.ident.span(), message));
    }
    Ok(contract)
}

fn options(attributes: TokenStream) -> Result<Options> {
    let here = Span::call_site();
    let mut options = Options {
        namespace: LitStr::new("/", here),
        version: LitStr::new("1.0.0", here),
        big_as_string: false,
    };
    let parser = syn::meta::parser(|meta| {
        if meta.path.is_ident("namespace") {
            options.namespace = meta.value()?.parse()?;
            let name = options.namespace.value();
            // Socket.IO v5: a comma ends the namespace, a question mark its name
            if !name.starts_with('/') || name.contains([',', '?']) {
                let message = "a namespace begins with `/` and has neither `,` nor `?`";
                return Err(Error::new(options.namespace.span(), message));
            }
        } else if meta.path.is_ident("version") {
            options.version = meta.value()?.parse()?;
        } else if meta.path.is_ident("big") {
            let big: LitStr = meta.value()?.parse()?;
            options.big_as_string = match &*big.value() {
                "string" => true,
                "number" => false,
                _ => return Err(Error::new(big.span(), "`big` is \"number\" or \"string\"")),
            };
        } else {
            return Err(meta.error("a contract has `namespace`, `version` and `big`"));
        }
        Ok(())
    });
    syn::parse::Parser::parse2(parser, attributes)?;
    Ok(options)
}

fn side(mut item: ItemTrait, is_from_client: bool) -> Result<Side> {
    if !item.generics.params.is_empty() {
        return Err(Error::new(item.generics.span(), "a side of a contract has no generics"));
    }
    let mut events: Vec<Event> = Vec::new();
    let mut errors: Option<Error> = None;
    for item in std::mem::take(&mut item.items) {
        let read = match item {
            TraitItem::Fn(method) => event(method, is_from_client),
            other => Err(Error::new(other.span(), "a side of a contract has methods only")),
        };
        let read = read.and_then(|event| {
            match events.iter().find(|other| other.name.value() == event.name.value()) {
                Some(other) => Err(Error::new(
                    event.name.span(),
                    format!("the event is declared by `{}` already", other.ident()),
                )),
                None => Ok(event),
            }
        });
        match (read, &mut errors) {
            (Ok(event), _) => events.push(event),
            (Err(error), Some(errors)) => errors.combine(error),
            (Err(error), None) => errors = Some(error),
        }
    }
    errors.map_or(Ok(Side { item, events }), Err)
}

fn event(mut method: TraitItemFn, is_from_client: bool) -> Result<Event> {
    let name = event_name(&mut method)?;
    let signature = &mut method.sig;
    if !signature.generics.params.is_empty() {
        return Err(Error::new(signature.generics.span(), "the types of an event are concrete"));
    }
    if let Some(body) = &method.default {
        return Err(Error::new(body.span(), "an event is declared without a body"));
    }
    let ack = ack(&signature.output, is_from_client, signature.asyncness.is_some())?;
    let mut arguments = Vec::new();
    let mut has_self = false;
    for input in &mut signature.inputs {
        match input {
            FnArg::Receiver(receiver) => {
                has_self = true;
                let is_shared = matches!(receiver.kind, ReceiverKind::Reference(_, None, None));
                if !is_from_client || !is_shared {
                    let message = if is_from_client {
                        "a handler takes `&self`: it is called for all clients at once"
                    } else {
                        "what a client hears has no `self`: `fn name(argument: &Type)`"
                    };
                    return Err(Error::new(receiver.span(), message));
                }
            }
            FnArg::Typed(argument) => {
                let checks = checks(&mut argument.attrs, is_from_client)?;
                let Pat::Ident(name) = &*argument.pat else {
                    return Err(Error::new(argument.pat.span(), "an argument has a plain name"));
                };
                let ty = (*argument.ty).clone();
                check_type(&ty, is_from_client)?;
                arguments.push(Argument { name: name.ident.clone(), ty, checks });
            }
        }
    }
    if is_from_client && !has_self {
        return Err(Error::new(signature.ident.span(), "a handler takes `&self` first"));
    }
    if arguments.len() > MOST_ARGUMENTS {
        let message = format!("an event has at most {MOST_ARGUMENTS} arguments: use a struct");
        return Err(Error::new(signature.ident.span(), message));
    }
    Ok(Event { name, method, arguments, ack })
}

/// The name that `#[event("..")]` says, else that of the method.
fn event_name(method: &mut TraitItemFn) -> Result<LitStr> {
    let mut name = None;
    let attributes = std::mem::take(&mut method.attrs);
    for attribute in attributes {
        if attribute.path().is_ident("event") {
            let said: LitStr = attribute.parse_args().map_err(|error| {
                Error::new(error.span(), "the name of an event is a text: `#[event(\"name\")]`")
            })?;
            name = Some(said);
        } else {
            method.attrs.push(attribute);
        }
    }
    let ident = &method.sig.ident;
    let name = name
        .unwrap_or_else(|| LitStr::new(ident.to_string().trim_start_matches("r#"), ident.span()));
    if RESERVED.contains(&&*name.value()) {
        let message = format!("{:?} is a name of the library's own events", name.value());
        return Err(Error::new(name.span(), message));
    }
    Ok(name)
}

fn checks(attributes: &mut Vec<Attribute>, is_from_client: bool) -> Result<Vec<Expr>> {
    let mut checks = Vec::new();
    for attribute in std::mem::take(attributes) {
        if !attribute.path().is_ident("check") {
            attributes.push(attribute);
        } else if is_from_client {
            checks.push(attribute.parse_args()?);
        } else {
            return Err(Error::new(attribute.span(), "only what clients send is checked"));
        }
    }
    Ok(checks)
}

/// Types that would only lead to messages about what the macro writes.
fn check_type(ty: &Type, is_from_client: bool) -> Result<()> {
    match ty {
        Type::ImplTrait(_) => {
            Err(Error::new(ty.span(), "the types of an event are concrete, not `impl ..`"))
        }
        Type::Reference(_) if is_from_client => Err(Error::new(
            ty.span(),
            "what a client sends is owned by the handler: `String`, not `&str`",
        )),
        Type::Path(path) if is_from_client => {
            let last = path.path.segments.last().map(|segment| segment.ident.to_string());
            match last.as_deref() {
                Some("Data") => Err(Error::new(
                    ty.span(),
                    "an argument is its type alone: `text: String`, not `Data<String>`",
                )),
                Some("Args") => {
                    Err(Error::new(ty.span(), "the arguments of a declared event have types"))
                }
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn ack(output: &ReturnType, is_from_client: bool, is_async: bool) -> Result<Ack> {
    let ReturnType::Type(_, ty) = output else {
        return Ok(match is_from_client || !is_async {
            true => Ack::None,
            false => Ack::Empty,
        });
    };
    if !is_from_client && !is_async {
        let message =
            "a client acknowledges later: an event with an acknowledgement is an `async fn`";
        return Err(Error::new(ty.span(), message));
    }
    match &**ty {
        Type::Tuple(tuple) if tuple.elems.is_empty() => Ok(Ack::Empty),
        Type::Path(path) => {
            let Some(last) = path.path.segments.last().filter(|last| last.ident == "Result") else {
                return Ok(Ack::Plain(ty.clone()));
            };
            let mut types = Vec::new();
            if let PathArguments::AngleBracketed(arguments) = &last.arguments {
                for argument in &arguments.args {
                    if let GenericArgument::Type(ty) = argument {
                        types.push(Box::new(ty.clone()));
                    }
                }
            }
            match <[Box<Type>; 2]>::try_from(types) {
                Ok([value, error]) => Ok(Ack::Result(value, error)),
                Err(_) => {
                    let message = "an acknowledgement names both of its types: `Result<T, E>`";
                    Err(Error::new(ty.span(), message))
                }
            }
        }
        Type::ImplTrait(_) => {
            Err(Error::new(ty.span(), "the types of an event are concrete, not `impl ..`"))
        }
        _ => Ok(Ack::Plain(ty.clone())),
    }
}

/// The text of doc comments.
pub(crate) fn docs(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let Meta::NameValue(doc) = &attribute.meta {
            if let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &doc.value {
                let text = text.value();
                lines.extend(
                    text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned()),
                );
                if text.is_empty() {
                    lines.push(String::new());
                }
            }
        }
    }
    lines.join("\n").trim().to_owned()
}

/// What events of no contract are called: those of `socket.io` itself, and ours.
const RESERVED: [&str; 9] = [
    "connect",
    "connect_error",
    "connection",
    "contract:error",
    "disconnect",
    "disconnecting",
    "error",
    "newListener",
    "removeListener",
];

/// As many as the tuples that are implemented.
const MOST_ARGUMENTS: usize = 12;
