//! A client's trait: the type that implements it by calling commands.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::{
    FnArg, GenericArgument, PathArguments, Signature, Token, Type, TypeParamBound, WherePredicate,
    parse_quote,
};

use crate::model::{ClientTrait, Method, Sent, SentForm, SentWay};
use crate::tokens::{first_span, hygienic, impl_spans, last_span, mentions};

pub(crate) fn client(model: &ClientTrait) -> TokenStream {
    let ClientTrait { krate, ident, vis, is_async, methods } = model;
    let client = format_ident!("{ident}Client");
    let private = quote!(#krate::private::typed);
    let (inner, asyncness, wait, check) = if *is_async {
        (quote!(AsyncClient), quote!(async), quote!(.await), quote!(check_async))
    } else {
        (quote!(Client), quote!(), quote!(), quote!(check))
    };
    let from_client = is_async.then(|| {
        quote! {
            impl ::core::convert::From<#private::Client> for #client {
                fn from(client: #private::Client) -> Self {
                    Self(::core::convert::Into::into(client))
                }
            }
        }
    });
    let calls = methods.iter().map(|method| call(method, *is_async));
    let described = methods.iter().enumerate().map(|(i, method)| description(i, method, *is_async));
    let (names, cfgs) = methods
        .iter()
        .enumerate()
        .map(|(i, method)| (name(i), &method.cfgs))
        .unzip::<_, _, Vec<_>, Vec<_>>();
    let doc = format!("Calls the commands of [`{ident}`] on a daemon.");
    let check_doc = format!(
        "Compares [`{ident}`] with the daemon's description of its commands, and returns each difference. Without one, every call of this version of the daemon fits."
    );
    let code = quote_spanned! {Span::mixed_site()=>
        #[doc = #doc]
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #vis struct #client(#private::#inner);

        impl #client {
            /// Creates a client that makes its calls through this one.
            #vis fn new(client: #private::#inner) -> Self {
                Self(client)
            }

            /// Returns the client that makes the calls.
            #vis fn client(&self) -> &#private::#inner {
                &self.0
            }

            #[doc = #check_doc]
            ///
            /// # Errors
            /// The daemon cannot be asked. A difference is no error.
            #[must_use = "the differences are returned, and not an error"]
            #vis #asyncness fn check(
                &self,
            ) -> ::core::result::Result<::std::vec::Vec<#private::Difference>, #private::Error> {
                use #private as __dockipc;

                #(#described)*
                const METHODS: &[__dockipc::Method] = &[#(#(#cfgs)* #names),*];
                __dockipc::#check(&self.0, METHODS)#wait
            }
        }

        impl ::core::convert::From<#private::#inner> for #client {
            fn from(client: #private::#inner) -> Self {
                Self(client)
            }
        }

        #from_client

        const _: () = {
            use #private as __dockipc;

            impl #ident for #client {
                #(#calls)*
            }
        };
    };
    if *is_async { quote!(#krate::__async_client! { #code }) } else { code }
}

/// Generates the method, which makes the call.
fn call(method: &Method, is_async: bool) -> TokenStream {
    let Method { sig, cfgs, name, is_idempotent, params, output, .. } = method;
    let this = sig.inputs.first().and_then(|input| match input {
        FnArg::Receiver(receiver) => Some(receiver.self_token),
        FnArg::Typed(_) => None,
    });
    let span = hygienic(first_span(output));
    let given = params.iter().map(give);
    let idempotent = is_idempotent.then(|| quote!(.idempotent()));
    let typed = quote_spanned! {Span::mixed_site()=>
        __dockipc::Typed::new(&#this.0, #name)#(#given)*#idempotent
    };
    let is_body = |param: &&Sent| matches!(param.form, SentForm::Body | SentForm::Items);
    let (outcome, items) = if is_async {
        (quote!(AsyncBodyOutcome), quote!(async_items))
    } else {
        (quote!(BodyOutcome), quote!(items))
    };
    let call = match params.iter().find(is_body) {
        Some(Sent { ident, form: SentForm::Items, .. }) => quote_spanned! {span=>
            <#output as __dockipc::#outcome<_>>::of(#typed, __dockipc::#items(#ident), "items")
        },
        Some(Sent { ident, ty, .. }) => {
            let reader = if generic_or_impl(ty) { quote!(_) } else { ty.to_token_stream() };
            quote_spanned! {span=>
                <#output as __dockipc::#outcome<#reader>>::of(#typed, #ident, "1")
            }
        }
        None if is_async => quote_spanned!(span=> <#output as __dockipc::AsyncOutcome>::of(#typed)),
        None => quote_spanned!(span=> <#output as __dockipc::Outcome>::of(#typed)),
    };
    quote! {
        #(#cfgs)*
        #sig {
            #call
        }
    }
}

fn generic_or_impl(ty: &Type) -> bool {
    matches!(ty, Type::ImplTrait(_))
}

/// Generates the call of the method that gives a parameter.
fn give(param: &Sent) -> TokenStream {
    let Sent { ident, ty, form, .. } = param;
    let span = hygienic(first_span(ty));
    let (method, way) = match form {
        SentForm::Value(way) => ("give", way),
        SentForm::Absolute(way) => ("absolute", way),
        SentForm::Directory(way) => ("directory", way),
        SentForm::Environment(way) => ("environment", way),
        SentForm::Body | SentForm::Items => return TokenStream::new(),
    };
    let (method, way) = (Ident::new(method, span), self::way(way));
    quote_spanned!(span=> .#method(&#ident, #way))
}

fn way(way: &SentWay) -> TokenStream {
    match way {
        SentWay::Position | SentWay::Rest => quote!(__dockipc::Way::Position),
        SentWay::Last => quote!(__dockipc::Way::Last),
        SentWay::Long(name) => quote!(__dockipc::Way::Long(#name)),
        SentWay::Flag(name) => quote!(__dockipc::Way::Flag(#name)),
    }
}

/// Returns the name of the constant that describes a method.
fn name(i: usize) -> Ident {
    format_ident!("__DOCKIPC_METHOD_{i}", span = Span::mixed_site())
}

/// Generates the description of a method, which is compared with the daemon's, and the checks of its parameters that
/// need types.
fn description(i: usize, method: &Method, is_async: bool) -> TokenStream {
    let Method { sig, cfgs, name, is_idempotent, is_deprecated, params, output } = method;
    let span = hygienic(first_span(output));
    let answer = without_lifetimes(output.to_token_stream());
    let answer = if is_async {
        quote_spanned!(span=> <#answer as __dockipc::AsyncOutcome>::EXPECTED)
    } else {
        quote_spanned!(span=> <#answer as __dockipc::Outcome>::EXPECTED)
    };
    let constant = self::name(i);
    let checks = params.iter().enumerate().map(|(i, Sent { ty, .. })| {
        // At the whole type, as for a command.
        let mut arguments = Group::new(Delimiter::Parenthesis, quote!(&#constant, #i));
        arguments.set_span(hygienic(last_span(ty)));
        let span = hygienic(first_span(ty));
        quote_spanned!(span=> #(#cfgs)* const _: () = __dockipc::check_sent #arguments;)
    });
    let params = params.iter().map(|Sent { name, ty: param_ty, form, .. }| {
        let (span, ty) = (hygienic(first_span(param_ty)), param_ty);
        let ty = without_lifetimes(ty.to_token_stream());
        let gives = quote_spanned!(span=> <#ty as __dockipc::ToArgs>::GIVES);
        let (fill, way) = match form {
            SentForm::Value(way) => (quote!(Nothing), way),
            SentForm::Absolute(way) => (quote!(Absolute), way),
            SentForm::Directory(way) | SentForm::Environment(way) => (quote!(Caller), way),
            SentForm::Body => return quote!(__dockipc::Sent::body(#name)),
            SentForm::Items => {
                let of = items_type(sig, param_ty);
                return quote!(__dockipc::Sent::items(#name, #of));
            }
        };
        let rest = matches!(way, SentWay::Rest).then(|| quote!(.rest()));
        let way = self::way(way);
        quote!(__dockipc::Sent::new(#name, #way, #gives, __dockipc::Fill::#fill)#rest)
    });
    quote_spanned! {Span::mixed_site()=>
        #(#cfgs)*
        const #constant: __dockipc::Method = __dockipc::Method {
            name: #name,
            is_idempotent: #is_idempotent,
            is_deprecated: #is_deprecated,
            params: &[#(#params),*],
            answer: #answer,
        };
        #(#checks)*
    }
}

/// Generates the type of the items that a parameter of this type has. That of an `impl Iterator` or of a type parameter is
/// the `T` of `Item = T`; the type is unknown where it depends on the caller.
fn items_type(sig: &Signature, ty: &Type) -> TokenStream {
    let generics = &sig.generics;
    let is_param = |ident: &Ident| generics.type_params().any(|param| param.ident == *ident);
    let item = match ty {
        Type::ImplTrait(ty) => item_of(&ty.bounds),
        Type::Path(path) if path.path.get_ident().is_some_and(is_param) => {
            let inline = generics.type_params().filter(|param| path.path.is_ident(&param.ident));
            let predicates = generics.where_clause.iter().flat_map(|clause| &clause.predicates);
            let behind = predicates.filter_map(|predicate| match predicate {
                WherePredicate::Type(predicate) if is_same(&predicate.bounded_ty, ty) => {
                    Some(&predicate.bounds)
                }
                _ => None,
            });
            inline.map(|param| &param.bounds).chain(behind).find_map(item_of)
        }
        ty => Some(parse_quote!(<#ty as ::core::iter::IntoIterator>::Item)),
    };
    let is_known = |item: &Type| {
        let tokens = item.to_token_stream();
        let params = generics.type_params();
        impl_spans(tokens.clone()).is_empty()
            && params.into_iter().all(|param| !mentions(&param.ident, tokens.clone()))
    };
    let Some(item) = item.filter(is_known) else {
        return quote!(&__dockipc::ReplyType::Unknown);
    };
    let span = hygienic(first_span(&item));
    let item = without_lifetimes(item.to_token_stream());
    quote_spanned!(span=> <#item as __dockipc::IntoReply>::REPLY_TYPE)
}

fn is_same(ty: &Type, other: &Type) -> bool {
    ty.to_token_stream().to_string() == other.to_token_stream().to_string()
}

/// Returns the `T` of the bound `Iterator<Item = T>`.
fn item_of(bounds: &Punctuated<TypeParamBound, Token![+]>) -> Option<Type> {
    bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else { return None };
        let PathArguments::AngleBracketed(arguments) = &bound.path.segments.last()?.arguments
        else {
            return None;
        };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(of) if of.ident == "Item" => Some(of.ty.clone()),
            _ => None,
        })
    })
}

/// Replaces the lifetimes of a method, which a constant does not know.
fn without_lifetimes(tokens: TokenStream) -> TokenStream {
    let mut is_lifetime = false;
    let tokens = tokens.into_iter().map(|token| {
        let follows = std::mem::take(&mut is_lifetime);
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                is_lifetime = true;
                TokenTree::Punct(punct)
            }
            TokenTree::Ident(ident) if follows && ident != "static" => {
                TokenTree::Ident(Ident::new("_", ident.span()))
            }
            TokenTree::Group(group) => {
                let mut replaced = Group::new(group.delimiter(), without_lifetimes(group.stream()));
                replaced.set_span(group.span());
                TokenTree::Group(replaced)
            }
            token => token,
        }
    });
    tokens.collect()
}
