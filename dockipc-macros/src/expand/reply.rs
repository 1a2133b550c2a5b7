//! The conversions to and from an answer.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{DeriveInput, Expr, Generics, Ident, Member, Path, Type, parse_quote};

use super::bounds::generic_types;
use super::{silent, text};
use crate::model::{Answer, Content, Other, ReplyImpl, ReplyVariant};
use crate::tokens::{first_span, hygienic, mentions};

pub(crate) fn reply(model: &ReplyImpl) -> TokenStream {
    let ReplyImpl { krate, ident, generics, answer } = model;
    // The compiler does not report a deprecated type at a span of the macro's own.
    let ident = &silent(ident);
    let path = format!("::{}", ident.unraw());
    let path = quote!(::core::concat!(::core::module_path!(), #path));
    let mut header = None;
    let Parts { columns, into, ty, from, held } = match answer {
        Answer::Struct { content, is_table } => {
            let mut parts = parts(content, ident, &path, &quote!(Self));
            let (pattern, into, ty) = (pattern(content, &quote!(Self)), parts.into, parts.ty);
            parts.into = quote!({ let #pattern = __dockipc_value; #into });
            parts.ty = if *is_table { quote!(__dockipc::ReplyType::Table(&#ty)) } else { ty };
            header = is_table.then(|| table(content, ident));
            parts
        }
        Answer::Enum { variants, other } => of_enum(variants, other.as_ref(), ident, &path),
    };
    let (mut writable, mut readable) = (generics.clone(), generics.clone());
    for ty in generic_types(ident, generics, fields(answer)) {
        let (into, from) = (&mut writable, &mut readable);
        into.make_where_clause().predicates.push(parse_quote!(#ty: __dockipc::IntoReply));
        from.make_where_clause().predicates.push(parse_quote!(#ty: __dockipc::FromReply));
    }
    for ty in held {
        // The lifetime lets a struct that cannot be read back, such as one with a `&str`, compile.
        let bound = parse_quote!(for<'__dockipc> #ty: __dockipc::FromReply);
        readable.make_where_clause().predicates.push(bound);
    }
    let (generics, types, bounds) = writable.split_for_impl();
    // One constant has all, because the compiler reports a mistake in a type once in each body of code.
    let parts = quote! {
        #[automatically_derived]
        impl #generics __dockipc::Derived for #ident #types #bounds {
            const PARTS: __dockipc::Parts<Self> = __dockipc::Parts {
                columns: #columns,
                into: |__dockipc_value| #into,
                ty: #ty,
            };
        }
    };
    let into = quote! {
        const COLUMNS: ::core::primitive::usize = <Self as __dockipc::Derived>::PARTS.columns;
        const REPLY_TYPE: &'static __dockipc::ReplyType =
            &{ <Self as __dockipc::Derived>::PARTS.ty };
        #header

        fn into_reply(self) -> __dockipc::Reply {
            (<Self as __dockipc::Derived>::PARTS.into)(self)
        }
    };
    let from = quote!(::core::result::Result::Ok(#from));
    reply_impls(krate, ident, (&writable, &readable), &into, &from, Some(parts))
}

/// Returns the types of all fields.
fn fields(answer: &Answer) -> Vec<&Type> {
    let of = |content| match content {
        &Content::Nothing => Vec::new(),
        Content::One(ty) => vec![&**ty],
        Content::Row(types) => types.iter().collect(),
        Content::Map(fields) => fields.iter().map(|field| &field.ty).collect(),
    };
    match answer {
        Answer::Struct { content, .. } => of(content),
        Answer::Enum { variants, .. } => {
            variants.iter().flat_map(|variant| of(&variant.content)).collect()
        }
    }
}

/// The columns of the table that a list of the type is.
fn table(content: &Content, ident: &Ident) -> TokenStream {
    let Content::Map(fields) = content else { return TokenStream::new() };
    let columns = fields.iter().map(|field| {
        let (name, into) = (&field.name, as_into(&field.ty));
        let is_recursive = mentions(ident, field.ty.to_token_stream());
        let columns = if is_recursive { quote!(1) } else { quote!(#into::COLUMNS) };
        quote!((#name, #columns))
    });
    quote! {
        const HEADER: &'static [(&'static ::core::primitive::str, ::core::primitive::usize)] =
            &[#(#columns),*];
    }
}

/// The code for the fields of a type or a variant.
struct Parts {
    /// The number of columns in line mode.
    columns: TokenStream,
    /// The answer, made of the fields that [`pattern`] binds.
    into: TokenStream,
    /// The `ReplyType`.
    ty: TokenStream,
    /// The value, made of the answer `__dockipc_reply`.
    from: TokenStream,
    /// The types that must be readable.
    held: Vec<Type>,
}

/// The fields bound to the names of [`bound`].
fn pattern(content: &Content, constructor: &TokenStream) -> TokenStream {
    let members = members(content);
    let names = (0..members.len()).map(bound);
    quote!(#constructor { #(#members: #names),* })
}

fn members(content: &Content) -> Vec<Member> {
    match content {
        Content::Nothing => Vec::new(),
        Content::One(_) => vec![Member::from(0)],
        Content::Row(types) => (0..types.len()).map(Member::from).collect(),
        Content::Map(fields) => {
            fields.iter().map(|field| Member::Named(silent(&field.ident))).collect()
        }
    }
}

fn bound(index: usize) -> Ident {
    format_ident!("__dockipc_{index}", span = Span::mixed_site())
}

fn parts(content: &Content, ident: &Ident, path: &TokenStream, constructor: &TokenStream) -> Parts {
    let (mut columns, mut held) = (Vec::new(), Vec::new());
    // The columns and the bound of a field that holds the type itself would be those of the type.
    let mut add = |ty: &Type| {
        let into = as_into(ty);
        if mentions(ident, ty.to_token_stream()) {
            columns.push(quote!(1));
        } else {
            columns.push(quote!(#into::COLUMNS));
            held.push(ty.clone());
        }
        into
    };
    let members = members(content);
    let names: Vec<_> = (0..members.len()).map(bound).collect();
    match content {
        Content::Nothing => Parts {
            columns: quote!(1),
            into: quote!(__dockipc::Reply::Ok),
            ty: quote!(__dockipc::ReplyType::Nothing),
            from: quote!({ let _ = __dockipc_reply; #constructor {} }),
            held,
        },
        Content::One(ty) => {
            let into = add(ty);
            Parts {
                into: quote!(#into::into_reply(#(#names)*)),
                ty: quote!(*#into::REPLY_TYPE),
                from: quote!(#constructor { 0: __dockipc::Reply::parse(__dockipc_reply)? }),
                columns: quote!(#(#columns)*),
                held,
            }
        }
        Content::Row(types) => {
            let into: Vec<_> = types.iter().map(add).collect();
            let count = types.len();
            Parts {
                into: quote!(__dockipc::Reply::List(::core::convert::Into::into([
                    #(#into::into_reply(#names)),*
                ]))),
                ty: quote!(__dockipc::ReplyType::Row(&[#(#into::REPLY_TYPE),*])),
                from: quote!({
                    let mut __dockipc_fields = __dockipc::Columns::of(__dockipc_reply, #count)?;
                    #constructor { #(#members: __dockipc_fields.take()?),* }
                }),
                columns: quote!(#(#columns)+*),
                held,
            }
        }
        Content::Map(fields) => {
            let into: Vec<_> = fields.iter().map(|field| add(&field.ty)).collect();
            let keys: Vec<_> = fields.iter().map(|field| &*field.name).collect();
            Parts {
                into: if keys.is_empty() {
                    quote!(__dockipc::Reply::Map(::core::default::Default::default()))
                } else {
                    quote!(__dockipc::Reply::map([#((#keys, #into::into_reply(#names))),*]))
                },
                ty: documented(
                    quote!(__dockipc::ReplyType::Struct {
                        name: #path,
                        fields: || const { &[#((#keys, #into::REPLY_TYPE)),*] },
                    }),
                    fields.iter().map(|field| (&*field.name, &*field.docs)),
                ),
                from: quote!({
                    let mut __dockipc_fields = __dockipc::Fields::of(__dockipc_reply)?;
                    let _ = &mut __dockipc_fields;
                    #constructor { #(#members: __dockipc_fields.take(#keys)?),* }
                }),
                columns: quote!(0 #(+ 1 + #columns)*),
                held,
            }
        }
    }
}

/// Adds the doc comments of the fields or the variants with these names, if there are any, to a type.
fn documented<'m>(
    ty: TokenStream,
    docs: impl Iterator<Item = (&'m str, &'m [Expr])>,
) -> TokenStream {
    let of = |(name, docs): (_, &[Expr])| {
        let text = text(docs);
        (!docs.is_empty()).then(|| quote!((#name, #text)))
    };
    let texts: Vec<_> = docs.filter_map(of).collect();
    if texts.is_empty() {
        return ty;
    }
    quote!(__dockipc::ReplyType::Documented(&#ty, &[#(#texts),*]))
}

fn as_into(ty: &Type) -> TokenStream {
    let span = hygienic(first_span(ty));
    quote_spanned!(span=> <#ty as __dockipc::IntoReply>)
}

fn of_enum(
    variants: &[ReplyVariant],
    other: Option<&Other>,
    ident: &Ident,
    path: &TokenStream,
) -> Parts {
    let words: Vec<_> = variants.iter().map(|variant| &*variant.word).collect();
    let is_union = variants.iter().any(|variant| !matches!(variant.content, Content::Nothing));
    let (mut columns, mut into, mut types, mut from) = (vec![], vec![], vec![], vec![]);
    let mut held = Vec::new();
    for ReplyVariant { ident: variant, word, aliases, content, .. } in variants {
        let variant = silent(variant);
        let constructor = quote!(Self::#variant);
        let parts = parts(content, ident, &quote!(""), &constructor);
        let (ty, value, pattern) = (parts.ty, parts.into, pattern(content, &constructor));
        into.push(if let Content::Nothing = content {
            quote!(#pattern => __dockipc::IntoReply::into_reply(#word))
        } else {
            quote!(#pattern => __dockipc::Reply::map([(#word, #value)]))
        });
        let value = parts.from;
        from.push(quote!(#word #(| #aliases)* => #value));
        types.push(quote!((#word, &#ty)));
        columns.push(parts.columns);
        held.extend(parts.held);
    }
    let wanted = format!("one of {}", words.join(", "));
    let unknown = match other {
        None => quote!(return __dockipc::no_variant(__dockipc_word, #wanted)),
        Some(Other::Unit(variant)) => {
            let variant = silent(variant);
            quote!(Self::#variant {})
        }
        Some(Other::Word(variant, ty)) => {
            let (variant, as_into) = (silent(variant), as_into(ty));
            into.push(quote!(Self::#variant(__dockipc_0) => #as_into::into_reply(__dockipc_0)));
            let word = Ident::new("__dockipc_word", first_span(ty));
            quote!(Self::#variant(#word))
        }
    };
    let mut ty = if is_union {
        quote!(__dockipc::ReplyType::Union {
            name: #path,
            variants: || const { &[#(#types),*] },
        })
    } else {
        quote!(__dockipc::ReplyType::Enum { name: #path, words: &[#(#words),*] })
    };
    ty = documented(ty, variants.iter().map(|variant| (&*variant.word, &*variant.docs)));
    if other.is_some() {
        ty = quote!(__dockipc::ReplyType::Open(&#ty));
    }
    Parts {
        columns: if is_union { quote!(1 + __dockipc::widest(&[#(#columns),*])) } else { quote!(1) },
        into: quote!(match __dockipc_value { #(#into,)* }),
        ty,
        from: quote!({
            let (__dockipc_word, __dockipc_reply) = __dockipc::variant(__dockipc_reply, #wanted)?;
            let _ = &__dockipc_reply;
            match &*__dockipc_word {
                #(#from,)*
                _ => #unknown,
            }
        }),
        held,
    }
}

/// Generates implementations for a type with a mistake, so that the compiler reports the mistake alone
/// and not each use of the type as well.
pub(crate) fn reply_stub(input: &DeriveInput, krate: &Path) -> TokenStream {
    let into = quote! {
        fn into_reply(self) -> __dockipc::Reply {
            ::core::unreachable!()
        }
    };
    let from = quote!(::core::unreachable!());
    reply_impls(krate, &input.ident, (&input.generics, &input.generics), &into, &from, None)
}

fn reply_impls(
    krate: &Path,
    ident: &Ident,
    (writable, readable): (&Generics, &Generics),
    into: &TokenStream,
    from: &TokenStream,
    parts: Option<TokenStream>,
) -> TokenStream {
    let (generics, types, bounds) = writable.split_for_impl();
    let readable = &readable.where_clause;
    // A type with parameters can be read where it can't be written.
    let expected = writable.type_params().next().is_none().then(|| {
        quote! {
            const EXPECTED: &'static __dockipc::ReplyType =
                <Self as __dockipc::IntoReply>::REPLY_TYPE;
        }
    });
    quote! {
        const _: () = {
            use #krate::private as __dockipc;

            #parts

            #[automatically_derived]
            impl #generics __dockipc::IntoReply for #ident #types #bounds {
                #into
            }

            #[automatically_derived]
            impl #generics __dockipc::FromReply for #ident #types #readable {
                #expected

                fn from_reply(
                    __dockipc_reply: __dockipc::Reply,
                ) -> ::core::result::Result<Self, __dockipc::Error> {
                    #from
                }
            }
        };
    }
}
