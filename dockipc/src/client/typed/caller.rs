//! The values that a typed client fills in: absolute paths, and the caller's directory and environment.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::client::ToArgs;
use crate::error::{Error, Result};

/// Returns the directory of this process.
pub(in crate::client) fn directory() -> Result<PathBuf> {
    std::env::current_dir().map_err(|error| Error::io("finding the current directory", error))
}

/// Returns the environment of this process, without the token that it may have for a daemon.
pub(in crate::client) fn environment() -> BTreeMap<OsString, OsString> {
    std::env::vars_os().filter(|(name, _)| name != "DOCKIPC_TOKEN").collect()
}

/// A path, or several, that can be made absolute.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be made an absolute path",
    note = "`#[arg(absolute)]` is for `Path`, `PathBuf`, and `Option` and lists of those"
)]
pub trait Paths {
    type Absolute: ToArgs;

    /// Joins a relative path to the directory of this process. It follows no links, and the file need not exist.
    fn absolute(&self) -> Result<Self::Absolute>;

    /// Returns whether the caller has set one.
    fn is_given(&self) -> bool {
        true
    }
}

impl Paths for Path {
    type Absolute = PathBuf;

    fn absolute(&self) -> Result<PathBuf> {
        std::path::absolute(self).map_err(|error| Error::io("making a path absolute", error))
    }
}

impl Paths for PathBuf {
    type Absolute = Self;

    fn absolute(&self) -> Result<Self> {
        self.as_path().absolute()
    }
}

impl Paths for Cow<'_, Path> {
    type Absolute = PathBuf;

    fn absolute(&self) -> Result<PathBuf> {
        (**self).absolute()
    }
}

impl<T: Paths + ?Sized> Paths for &T {
    type Absolute = T::Absolute;

    fn absolute(&self) -> Result<T::Absolute> {
        (**self).absolute()
    }
}

impl<T: Paths> Paths for Option<T> {
    type Absolute = Option<T::Absolute>;

    fn absolute(&self) -> Result<Self::Absolute> {
        self.as_ref().map(T::absolute).transpose()
    }

    fn is_given(&self) -> bool {
        self.is_some()
    }
}

impl<T: Paths> Paths for [T] {
    type Absolute = Vec<T::Absolute>;

    fn absolute(&self) -> Result<Self::Absolute> {
        self.iter().map(T::absolute).collect()
    }
}

impl<T: Paths> Paths for Vec<T> {
    type Absolute = Vec<T::Absolute>;

    fn absolute(&self) -> Result<Self::Absolute> {
        self.as_slice().absolute()
    }
}

/// The variables of an environment.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't hold the variables of an environment",
    note = "`#[arg(caller = \"env\")]` is for a map, such as `BTreeMap<String, String>`"
)]
pub trait Variables {
    /// Returns whether the caller has set any.
    fn is_given(&self) -> bool;
}

impl<K, V> Variables for BTreeMap<K, V> {
    fn is_given(&self) -> bool {
        !self.is_empty()
    }
}

impl<K, V, S> Variables for HashMap<K, V, S> {
    fn is_given(&self) -> bool {
        !self.is_empty()
    }
}

impl<T: Variables + ?Sized> Variables for &T {
    fn is_given(&self) -> bool {
        (**self).is_given()
    }
}

impl<T> Variables for Option<T> {
    fn is_given(&self) -> bool {
        self.is_some()
    }
}
