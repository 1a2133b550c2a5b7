//! Typed clients: what the code that `#[client]` generates calls.
//!
//! A method makes a [`Typed`], gives it the values of its parameters, and hands it to the type of its result
//! ([`Outcome`]), which makes the call. The same types describe the method as constants, which `fit` compares with
//! the daemon's description.

mod answer;
pub(super) mod caller;
mod fit;
mod item;
mod parameter;

#[cfg(feature = "tokio")]
pub use super::AsyncClient;
pub use super::{Client, ToArgs, Way};
pub use crate::error::Error;
#[cfg(feature = "tokio")]
pub use fit::check_async;
pub use fit::{Difference, check};
pub use parameter::{Gives, check_sent};

pub use self::caller::{Paths, Variables};

use super::upload::Upload;
use super::{Call, Items};
use crate::error::Result;
use crate::reply::{FromReply, ItemReader};
pub use crate::reply::{IntoReply, ReplyType};

/// A method of a client's trait.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    pub name: &'static str,
    pub is_idempotent: bool,
    /// Whether the trait says so, and its callers know it.
    pub is_deprecated: bool,
    pub params: &'static [Sent],
    pub answer: &'static ReplyType,
}

/// A parameter of a method.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    name: &'static str,
    /// How the value is given; `None` for a body.
    way: Option<Way>,
    gives: Gives,
    fill: Fill,
    /// It is the rest of the line.
    is_rest: bool,
    /// The type of the items, if it is a body of these.
    items: Option<&'static ReplyType>,
}

/// How the client completes a value before it sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    Nothing,
    /// A relative path is made absolute.
    Absolute,
    /// A missing value is the caller's.
    Caller,
}

impl Sent {
    pub const fn new(name: &'static str, way: Way, gives: Gives, fill: Fill) -> Self {
        Self { name, way: Some(way), gives, fill, is_rest: false, items: None }
    }

    #[must_use]
    pub const fn rest(self) -> Self {
        Self { is_rest: true, ..self }
    }

    pub const fn body(name: &'static str) -> Self {
        Self { way: None, ..Self::new(name, Way::Position, Gives::of("bytes"), Fill::Nothing) }
    }

    pub const fn items(name: &'static str, of: &'static ReplyType) -> Self {
        Self { gives: Gives::of("items"), items: Some(of), ..Self::body(name) }
    }
}

/// A call whose values are given one after the other.
#[derive(Debug)]
pub struct Typed<'c> {
    /// The call, or why a value could not be given.
    call: Result<Call<'c>>,
}

/// A client that makes calls.
pub trait Calls {
    fn client(&self) -> &Client;
}

impl Calls for Client {
    fn client(&self) -> &Client {
        self
    }
}

impl<'c> Typed<'c> {
    /// Begins a call of the command with this name of one word or two.
    pub fn new(client: &'c impl Calls, name: &str) -> Self {
        let mut words = name.split(' ');
        let call = client.client().command(words.next().unwrap_or_default());
        Self { call: Ok(call.words(words)) }
    }

    #[must_use]
    pub fn give<T: ToArgs + ?Sized>(self, value: &T, way: Way) -> Self {
        Self { call: self.call.map(|call| call.give(value, way)) }
    }

    /// Gives a path, which is made absolute.
    #[must_use]
    pub fn absolute<T: Paths + ?Sized>(self, value: &T, way: Way) -> Self {
        let give = |call: Call<'c>| Ok(call.give(&value.absolute()?, way));
        Self { call: self.call.and_then(give) }
    }

    /// Gives a directory, or the caller's.
    #[must_use]
    pub fn directory<T: ToArgs>(self, value: &Option<T>, way: Way) -> Self {
        let give = |call: Call<'c>| match value {
            Some(value) => Ok(call.give(value, way)),
            None => Ok(call.give(&caller::directory()?, way)),
        };
        Self { call: self.call.and_then(give) }
    }

    /// Gives variables, or those of the caller.
    #[must_use]
    pub fn environment<T: ToArgs + Variables + ?Sized>(self, value: &T, way: Way) -> Self {
        Self { call: self.call.map(|call| call.fill(|words| words.environment(value, way))) }
    }

    #[must_use]
    pub fn idempotent(self) -> Self {
        Self { call: self.call.map(Call::idempotent) }
    }
}

/// The result of a method.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the result of a client's method",
    label = "not a result of a call",
    note = "a method returns `dockipc::Result<T>`, where `T` is a type that an answer can be converted to (`dockipc::FromReply`), or `dockipc::client::Items<T>` for a stream"
)]
pub trait Outcome: Sized {
    const EXPECTED: &'static ReplyType;

    /// Makes the call.
    fn of(typed: Typed<'_>) -> Self;
}

impl<T: FromReply, E: From<Error>> Outcome for Result<T, E> {
    const EXPECTED: &'static ReplyType = T::EXPECTED;

    fn of(typed: Typed<'_>) -> Self {
        Ok(typed.call.and_then(Call::call)?)
    }
}

impl<T: FromReply, E: From<Error>> Outcome for Result<Items<T>, E> {
    const EXPECTED: &'static ReplyType = &ReplyType::Stream(T::EXPECTED);

    fn of(typed: Typed<'_>) -> Self {
        Ok(typed.call.and_then(Call::stream)?)
    }
}

/// The result of a method with a body.
#[diagnostic::on_unimplemented(
    message = "a body can't be sent from `{R}` by a method that returns `{Self}`",
    note = "a body is sent from a reader that is `Send`; if a stream is returned, the reader must be `'static`"
)]
pub trait BodyOutcome<R>: Sized {
    /// Makes the call. `kind` is the value of the key `body`.
    fn of(typed: Typed<'_>, body: R, kind: &'static str) -> Self;
}

impl<T: FromReply, E: From<Error>, R: std::io::Read + Send> BodyOutcome<R> for Result<T, E> {
    fn of(typed: Typed<'_>, body: R, kind: &'static str) -> Self {
        Ok(typed.call.map(|call| Upload::new(call, body, kind)).and_then(Upload::call)?)
    }
}

impl<T: FromReply, E: From<Error>, R: std::io::Read + Send + 'static> BodyOutcome<R>
    for Result<Items<T>, E>
{
    fn of(typed: Typed<'_>, body: R, kind: &'static str) -> Self {
        Ok(typed.call.map(|call| Upload::new(call, body, kind)).and_then(Upload::stream)?)
    }
}

/// Returns the reader of the items that a method is given.
pub fn items<I: IntoIterator<Item: IntoReply>>(items: I) -> ItemReader<I::IntoIter> {
    ItemReader::new(items.into_iter())
}

/// The result of an async method.
#[cfg(feature = "tokio")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the result of an async method of a client",
    label = "not a result of a call",
    note = "a method returns `dockipc::Result<T>`, where `T` is a type that an answer can be converted to (`dockipc::FromReply`), or `dockipc::client::AsyncItems<T>` for a stream"
)]
pub trait AsyncOutcome: Sized {
    const EXPECTED: &'static ReplyType;

    /// Makes the call.
    fn of(typed: Typed<'_>) -> impl Future<Output = Self> + Send;
}

/// The result of an async method with a body.
#[cfg(feature = "tokio")]
#[diagnostic::on_unimplemented(
    message = "a body can't be sent from `{R}` by an async method that returns `{Self}`",
    note = "a body is sent from a `tokio::io::AsyncRead` that is `Send`; if a stream is returned, the reader must be `'static`"
)]
pub trait AsyncBodyOutcome<R>: Sized {
    /// Makes the call. `kind` is the value of the key `body`.
    fn of(typed: Typed<'_>, body: R, kind: &'static str) -> impl Future<Output = Self> + Send;
}

/// Returns the reader of the items that an async method is given.
#[cfg(feature = "tokio")]
pub fn async_items<I: IntoIterator<Item: IntoReply>>(
    items: I,
) -> super::AsyncItemReader<I::IntoIter> {
    super::AsyncItemReader::new(items.into_iter())
}

#[cfg(feature = "tokio")]
mod asynchronous {
    use tokio::io::AsyncRead;

    use super::{
        AsyncBodyOutcome, AsyncClient, AsyncOutcome, Calls, Client, Error, FromReply, ReplyType,
        Typed,
    };
    use crate::client::{AsyncCall, AsyncItems, AsyncUpload};

    impl Calls for AsyncClient {
        fn client(&self) -> &Client {
            self.blocking()
        }
    }

    impl<T: FromReply, E: From<Error>> AsyncOutcome for Result<T, E> {
        const EXPECTED: &'static ReplyType = T::EXPECTED;

        async fn of(typed: Typed<'_>) -> Self {
            Ok(AsyncCall(typed.call?).call().await?)
        }
    }

    impl<T: FromReply, E: From<Error>> AsyncOutcome for Result<AsyncItems<T>, E> {
        const EXPECTED: &'static ReplyType = &ReplyType::Stream(T::EXPECTED);

        async fn of(typed: Typed<'_>) -> Self {
            Ok(AsyncCall(typed.call?).stream().await?)
        }
    }

    impl<T: FromReply, E: From<Error>, R: AsyncRead + Send> AsyncBodyOutcome<R> for Result<T, E> {
        async fn of(typed: Typed<'_>, body: R, kind: &'static str) -> Self {
            Ok(AsyncUpload::new(AsyncCall(typed.call?), body, kind).call().await?)
        }
    }

    impl<T: FromReply, E: From<Error>, R: AsyncRead + Send + 'static> AsyncBodyOutcome<R>
        for Result<AsyncItems<T>, E>
    {
        async fn of(typed: Typed<'_>, body: R, kind: &'static str) -> Self {
            Ok(AsyncUpload::new(AsyncCall(typed.call?), body, kind).stream().await?)
        }
    }
}
