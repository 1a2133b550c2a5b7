//! The meaning of the attributes: the input of `expand`.
//!
//! These types cannot express what `validate` rejects within one parameter or one variant. Whether
//! the author's types fit is checked by the compiler in the generated code.

use proc_macro2::Span;
use syn::{Attribute, Expr, Generics, Ident, LitStr, Member, Path, Signature, Type, Visibility};

use crate::rule::Term;

/// A command.
pub(crate) struct Command {
    /// The path of the crate `dockipc`.
    pub(crate) krate: Path,
    pub(crate) function: Ident,
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) hidden: bool,
    pub(crate) idempotent: bool,
    /// Whether the variants of the function's enum are commands by their own names.
    pub(crate) flatten: bool,
    pub(crate) marks: Marks,
    /// Whether the future is dropped when the command is asked to stop.
    pub(crate) abort: bool,
    /// Whether a newer call of the same process cancels an older one.
    pub(crate) newest: bool,
    pub(crate) is_async: bool,
    pub(crate) allow: Option<Vec<Term>>,
    pub(crate) docs: Vec<Expr>,
    /// The function's `#[cfg]` attributes, which the registration needs as well.
    pub(crate) cfgs: Vec<Attribute>,
    /// Where the command has a name whose reply Redis clients convert.
    pub(crate) converted: Vec<Span>,
    /// The function's `#[allow]` attributes, which the lint about such a name obeys.
    pub(crate) allows: Vec<Attribute>,
    /// Whether the function is deprecated, or may use deprecated types.
    pub(crate) uses_deprecated: bool,
    pub(crate) params: Vec<Param>,
    pub(crate) output: Output,
}

/// The marks of a command, for its callers.
pub(crate) struct Marks {
    /// The version of the daemon that had the command first.
    pub(crate) since: Option<String>,
    /// The command to use instead.
    pub(crate) deprecated: Option<String>,
    pub(crate) readonly: bool,
    pub(crate) destructive: bool,
}

/// The return type of a command.
pub(crate) enum Output {
    Type(Box<Type>),
    /// No answer, with the span of the function's name.
    Nothing(Span),
    /// A type that cannot be repeated in the generated code, with its span.
    Hidden(Span),
}

/// A parameter of a command.
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) docs: Vec<Expr>,
    pub(crate) ty: Type,
    pub(crate) form: Form,
    pub(crate) extra: Extra,
    /// Whether the name that clients see is written by itself.
    pub(crate) is_named: bool,
}

/// The keys that few parameters have.
#[derive(Default)]
pub(crate) struct Extra {
    /// The letter of an option.
    pub(crate) short: Option<char>,
    /// The smallest and the largest number, and the number that a float must be less than.
    pub(crate) min: Option<String>,
    pub(crate) max: Option<String>,
    pub(crate) below: Option<String>,
    /// The fewest and the most bytes of a word.
    pub(crate) len: (Option<usize>, Option<usize>),
    /// The fewest and the most words of a list.
    pub(crate) count: (Option<usize>, Option<usize>),
    pub(crate) pattern: Option<String>,
    pub(crate) absolute: bool,
    /// The value that our own clients fill in.
    pub(crate) caller: Option<String>,
}

impl Extra {
    /// Returns whether a call must be checked.
    pub(crate) fn is_checked(&self) -> bool {
        let has = |(min, max): (Option<usize>, Option<usize>)| min.or(max).is_some();
        let is_number = self.min.is_some() || self.max.is_some() || self.below.is_some();
        is_number || has(self.len) || has(self.count) || self.pattern.is_some() || self.absolute
    }
}

/// How a client gives a parameter.
pub(crate) enum Form {
    /// `--name`, which has no value.
    Flag(String),
    Value(Box<Value>),
}

/// A parameter that is not a flag: parsed from words, or injected.
pub(crate) struct Value {
    pub(crate) source: Source,
    pub(crate) conversion: Conversion,
    /// The function that proposes values for completion.
    pub(crate) complete: Option<Path>,
    pub(crate) secret: bool,
}

/// Where the words of a value are.
pub(crate) enum Source {
    /// At the parameter's position.
    Position,
    /// After `--name`.
    Long(String),
    /// From the parameter's position to the end of the line.
    Rest,
    /// Behind `--`.
    Last,
}

/// How a word becomes a value.
pub(crate) enum Conversion {
    /// Through the trait that the type implements for `dockipc`.
    ByType(Option<DefaultValue>),
    /// Through the type's `FromStr`.
    FromStr(Option<DefaultValue>),
    /// Through the `FromStr` of this type; the parameter is an `Option` of it.
    OptionalFromStr(Box<Type>),
    /// Through the `FromStr` of this type; the parameter is a `Vec` of it.
    ListFromStr(Box<Type>, Option<DefaultValue>),
}

impl Conversion {
    pub(crate) fn default(&self) -> Option<&DefaultValue> {
        match self {
            Self::ByType(default) | Self::FromStr(default) | Self::ListFromStr(_, default) => {
                default.as_ref()
            }
            Self::OptionalFromStr(_) => None,
        }
    }
}

/// The value of a parameter that the client leaves out.
pub(crate) enum DefaultValue {
    /// A literal, which is parsed as if the client had sent it; with its span.
    Word(String, Span),
    /// An expression of the parameter's type.
    Expr(Expr),
}

/// An implementation of `Arg`.
pub(crate) struct ArgImpl {
    /// The path of the crate `dockipc`.
    pub(crate) krate: Path,
    pub(crate) ident: Ident,
    pub(crate) parser: WordParser,
}

/// How a derived `Arg` reads a word.
pub(crate) enum WordParser {
    /// Through the type's `FromStr`.
    FromStr,
    /// As one of these.
    Choices { choices: Vec<Choice>, ignore_case: bool },
}

/// A variant and its word.
pub(crate) struct Choice {
    pub(crate) variant: Ident,
    pub(crate) word: String,
    /// Other words for it.
    pub(crate) aliases: Vec<String>,
}

/// The codes of an error type.
pub(crate) struct FailureImpl {
    /// The path of the crate `dockipc`.
    pub(crate) krate: Path,
    pub(crate) ident: Ident,
    /// Every code as written.
    pub(crate) literals: Vec<LitStr>,
    pub(crate) codes: Codes,
}

/// The codes of the values of a type.
pub(crate) enum Codes {
    Struct(String),
    Enum(Vec<(Ident, VariantCode)>),
}

/// The code of a variant.
pub(crate) enum VariantCode {
    Word(String),
    /// That of the variant's only field, which has this type.
    Field(Member, Box<Type>),
}

/// The channels of an enum.
pub(crate) struct EventsImpl {
    /// The path of the crate `dockipc`.
    pub(crate) krate: Path,
    pub(crate) ident: Ident,
    pub(crate) channels: Vec<Channel>,
}

/// A variant and its channel.
pub(crate) struct Channel {
    pub(crate) variant: Ident,
    pub(crate) name: String,
    pub(crate) docs: Vec<Expr>,
    /// The type of the variant's only field.
    pub(crate) value: Option<Type>,
    pub(crate) allow: Option<Vec<Term>>,
    /// Whether the subscription of a client that is too slow ends.
    pub(crate) ends: bool,
}

/// The implementations of `IntoReply` and `FromReply`.
pub(crate) struct ReplyImpl {
    /// The path of the crate `dockipc`.
    pub(crate) krate: Path,
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) answer: Answer,
}

/// The form of an answer.
pub(crate) enum Answer {
    Struct {
        content: Content,
        /// Whether a list of them is a table in line mode.
        is_table: bool,
    },
    Enum {
        variants: Vec<ReplyVariant>,
        other: Option<Other>,
    },
}

/// The fields of a struct or a variant.
pub(crate) enum Content {
    Nothing,
    /// One field without a name.
    One(Box<Type>),
    /// Several fields without names.
    Row(Vec<Type>),
    Map(Vec<ReplyField>),
}

/// A field of an answer.
pub(crate) struct ReplyField {
    pub(crate) ident: Ident,
    /// The name on the wire.
    pub(crate) name: String,
    pub(crate) docs: Vec<Expr>,
    pub(crate) ty: Type,
}

/// A variant of an answer.
pub(crate) struct ReplyVariant {
    pub(crate) ident: Ident,
    pub(crate) word: String,
    pub(crate) docs: Vec<Expr>,
    /// Other words that are read as it.
    pub(crate) aliases: Vec<String>,
    pub(crate) content: Content,
}

/// The variant as which unknown words and variants are read.
pub(crate) enum Other {
    /// A unit variant, which has a word of its own.
    Unit(Ident),
    /// One that holds the word, with the type of its field.
    Word(Ident, Box<Type>),
}

/// A trait whose methods call commands.
pub(crate) struct ClientTrait {
    /// The path of the crate `dockipc`.
    pub(crate) krate: Path,
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    pub(crate) is_async: bool,
    pub(crate) methods: Vec<Method>,
}

/// A method, which calls a command.
pub(crate) struct Method {
    /// The signature in the trait; that of an async method returns a future.
    pub(crate) sig: Signature,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) name: String,
    pub(crate) is_idempotent: bool,
    pub(crate) is_deprecated: bool,
    pub(crate) params: Vec<Sent>,
    /// The result, also of the future.
    pub(crate) output: Type,
}

/// A parameter of a method.
pub(crate) struct Sent {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) form: SentForm,
}

/// The use that a client makes of a parameter's value.
pub(crate) enum SentForm {
    Value(SentWay),
    /// A path that is made absolute.
    Absolute(SentWay),
    /// A directory that is the caller's if it is left out.
    Directory(SentWay),
    /// Variables that are the caller's if they are left out.
    Environment(SentWay),
    /// The bytes of a reader.
    Body,
    /// The items of an iterator.
    Items,
}

/// How a client gives the value of a parameter.
pub(crate) enum SentWay {
    Position,
    Rest,
    Last,
    Long(String),
    Flag(String),
}

/// A group of parameters.
pub(crate) struct ArgsImpl {
    /// The path of the crate `dockipc`.
    pub(crate) krate: Path,
    pub(crate) ident: Ident,
    pub(crate) group: Group,
}

/// The form of a group of parameters.
pub(crate) enum Group {
    Fields(Vec<Field>),
    /// Exactly one of these is given.
    OneOf(Vec<Alternative>),
}

/// A field that is a parameter, or a group of parameters.
pub(crate) struct Field {
    pub(crate) member: Member,
    pub(crate) param: Param,
}

/// A variant that is given by a parameter.
pub(crate) struct Alternative {
    pub(crate) variant: Ident,
    /// A flag if the variant has no field.
    pub(crate) param: Param,
    pub(crate) member: Option<Member>,
}

/// The commands of an enum.
pub(crate) struct CommandsImpl {
    /// The path of the crate `dockipc`.
    pub(crate) krate: Path,
    pub(crate) ident: Ident,
    pub(crate) prefix: Option<String>,
    pub(crate) variants: Vec<CommandVariant>,
}

/// A variant that is a command.
pub(crate) struct CommandVariant {
    pub(crate) variant: Ident,
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) hidden: bool,
    pub(crate) idempotent: bool,
    pub(crate) marks: Marks,
    /// The text of its rule.
    pub(crate) allow: Option<String>,
    pub(crate) docs: Vec<Expr>,
    pub(crate) fields: Vec<Field>,
}
