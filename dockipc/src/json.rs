//! [`Json`], a value that is sent as JSON text.

use std::ops::{Deref, DerefMut};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::arg::{Arg, BadValue};
use crate::error::{Error, Failure};
use crate::reply::{FromReply, IntoReply, Reply, ReplyType};
use crate::wire::json;

/// A value that is sent as JSON text, as a parameter or as an answer, through serde.
///
/// ```standalone_crate
/// use dockipc::{Json, command};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Window {
///     id: u64,
///     title: Option<String>,
/// }
///
/// /// Rename a window.
/// #[command]
/// fn rename(window: Json<Window>, title: String) -> Json<Window> {
///     Json(Window { title: Some(title), ..window.0 })
/// }
///
/// let daemon = dockipc::Server::new().spawn_in_process()?;
/// let client = daemon.client();
/// let call = client.command("rename").arg(Json(Window { id: 7, title: None }));
/// let Json(window): Json<Window> = call.arg("editor").call()?;
/// assert_eq!(window.title.as_deref(), Some("editor"));
/// # Ok::<(), dockipc::Error>(())
/// ```
///
/// The text is one word of a command: on a line, quote it (`rename '{"id":7}' editor`). Text that is not this value is
/// a bad value, and the error says what serde says, with line and column. The answer is one bulk string; in line mode,
/// a line. In an answer that is itself asked for as JSON (`DOCKIPC JSON rename …`), the text is a part of it and is
/// not encoded again.
///
/// A value that serde can't write as JSON, such as a map whose keys are lists, is answered as an error. As an argument
/// of a call it is sent as the text of that error, which the daemon refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Json<T>(pub T);

/// A [`Json`] whose description has the JSON Schema of the value.
///
/// A type of its own, since `Json` is also for types that have no schema: those of other crates, for example.
#[cfg(feature = "json-schema")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DescribedJson<T>(pub T);

/// Writes a value as JSON text.
fn written(value: &impl Serialize) -> Reply {
    match serde_json::to_vec(value) {
        Ok(text) => json::of_text(text),
        Err(error) => {
            Reply::Error(Failure::from(format!("cannot write the answer as JSON: {error}")))
        }
    }
}

fn read<T: DeserializeOwned>(reply: Reply) -> Result<T, Error> {
    let text = Vec::<u8>::from_reply(reply)?;
    serde_json::from_slice(&text).map_err(|error| {
        let got = format!("{} ({error})", Reply::Bytes(text).describe());
        Error::Mismatch { wanted: "JSON text of this type", got }
    })
}

macro_rules! json {
    ($(#[$attribute:meta])? $json:ident, $ty:ident: [$($bound:tt)*], $answer:expr, $argument:expr) => {
        $(#[$attribute])?
        impl<'r, $ty: Deserialize<'r> $($bound)*> Arg<'r> for $json<$ty> {
            const TYPE: &'static str = "json";
            const SCHEMA: Option<fn() -> String> = $argument;

            fn from_word(word: &'r [u8]) -> Result<Self, BadValue> {
                serde_json::from_slice(word).map(Self).map_err(BadValue::new)
            }
        }

        $(#[$attribute])?
        impl<$ty: Serialize $($bound)*> IntoReply for $json<$ty> {
            const REPLY_TYPE: &'static ReplyType = &ReplyType::Json { schema: $answer };

            fn into_reply(self) -> Reply {
                written(&self.0)
            }
        }

        $(#[$attribute])?
        impl<$ty: DeserializeOwned> FromReply for $json<$ty> {
            // As an item of a body, a line of JSON text is not unescaped.
            const EXPECTED: &'static ReplyType = &ReplyType::Json { schema: None };

            fn from_reply(reply: Reply) -> Result<Self, Error> {
                read(reply).map(Self)
            }
        }

        $(#[$attribute])?
        impl<$ty> From<$ty> for $json<$ty> {
            fn from(value: $ty) -> Self {
                Self(value)
            }
        }

        $(#[$attribute])?
        impl<$ty> Deref for $json<$ty> {
            type Target = $ty;

            fn deref(&self) -> &$ty {
                &self.0
            }
        }

        $(#[$attribute])?
        impl<$ty> DerefMut for $json<$ty> {
            fn deref_mut(&mut self) -> &mut $ty {
                &mut self.0
            }
        }
    };
}

json! { Json, T: [], None, None }
json! {
    #[cfg(feature = "json-schema")]
    DescribedJson, T: [+ schemars::JsonSchema],
    Some(|| schema::<T>(schemars::generate::SchemaSettings::default().for_serialize())),
    Some(|| schema::<T>(schemars::generate::SchemaSettings::default().for_deserialize()))
}

/// Returns the JSON Schema of a type.
#[cfg(feature = "json-schema")]
fn schema<T: schemars::JsonSchema>(settings: schemars::generate::SchemaSettings) -> String {
    serde_json::to_string(&settings.into_generator().into_root_schema_for::<T>())
        .unwrap_or_default()
}
