//! The actions: one enum for the commands, the bindings of keys and calls.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use dockipc::{Arg, Commands};

/// An action of the compositor.
#[derive(Commands, Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Exit the compositor.
    #[command(destructive)]
    Quit {
        /// Do not ask.
        #[arg(flag, short)]
        skip_confirmation: bool,
    },
    /// Power off all monitors.
    PowerOffMonitors,
    /// Power on all monitors.
    PowerOnMonitors,
    /// Spawn a command.
    Spawn {
        /// The program and its arguments.
        #[arg(last, min = 1)]
        command: Vec<String>,
    },
    /// Spawn a command through the shell.
    SpawnSh {
        /// The line of the shell.
        #[arg(rest)]
        command: String,
    },
    /// Do a screen transition.
    DoScreenTransition {
        /// The delay before the transition, in milliseconds.
        #[arg(long, short)]
        delay_ms: Option<u16>,
    },
    /// Take a screenshot of an area.
    Screenshot {
        /// Whether the pointer is in the picture.
        #[arg(long, short = 'p', default = true)]
        show_pointer: bool,
        /// The file to write.
        #[arg(long, absolute)]
        path: Option<PathBuf>,
    },
    /// Take a screenshot of a window.
    ScreenshotWindow {
        /// The window; without it, the focused one.
        #[arg(long)]
        id: Option<u64>,
        /// Whether the picture is also written to a file.
        #[arg(long, short = 'd', default = true)]
        write_to_disk: bool,
        /// The file to write.
        #[arg(long, absolute)]
        path: Option<PathBuf>,
    },
    /// Close a window.
    #[command(destructive)]
    CloseWindow {
        /// The window; without it, the focused one.
        #[arg(long)]
        id: Option<u64>,
    },
    /// Toggle fullscreen of a window.
    FullscreenWindow {
        /// The window; without it, the focused one.
        #[arg(long)]
        id: Option<u64>,
    },
    /// Focus a window.
    #[command(idempotent)]
    FocusWindow {
        /// The window.
        #[arg(long)]
        id: u64,
    },
    /// Focus a window in the focused column, by its index from 1.
    FocusWindowInColumn {
        #[arg(range = 1..)]
        index: u8,
    },
    /// Focus the window that had the focus before.
    FocusWindowPrevious,
    /// Focus the column to the left.
    FocusColumnLeft,
    /// Focus the column to the right.
    FocusColumnRight,
    /// Focus the first column.
    #[command(idempotent)]
    FocusColumnFirst,
    /// Focus the last column.
    #[command(idempotent)]
    FocusColumnLast,
    /// Focus a column by its index from 1.
    FocusColumn {
        #[arg(range = 1..)]
        index: usize,
    },
    /// Focus the window below.
    FocusWindowDown,
    /// Focus the window above.
    FocusWindowUp,
    /// Move the focused column to the left.
    MoveColumnLeft,
    /// Move the focused column to the right.
    MoveColumnRight,
    /// Move the focused column to an index.
    MoveColumnToIndex {
        #[arg(range = 1..)]
        index: usize,
    },
    /// Move the focused window down in its column.
    MoveWindowDown,
    /// Move the focused window up in its column.
    MoveWindowUp,
    /// Consume or expel a window to the left.
    ConsumeOrExpelWindowLeft {
        /// The window; without it, the focused one.
        #[arg(long)]
        id: Option<u64>,
    },
    /// Switch the focused column between normal and tabbed display.
    ToggleColumnTabbedDisplay,
    /// Set the display of the focused column.
    #[command(idempotent)]
    SetColumnDisplay { display: ColumnDisplay },
    /// Center the focused column.
    #[command(idempotent)]
    CenterColumn,
    /// Focus the workspace below.
    FocusWorkspaceDown,
    /// Focus the workspace above.
    FocusWorkspaceUp,
    /// Focus a workspace.
    #[command(idempotent)]
    FocusWorkspace {
        /// Its index or its name.
        reference: WorkspaceReference,
    },
    /// Move a window to a workspace.
    MoveWindowToWorkspace {
        /// The window; without it, the focused one.
        #[arg(long)]
        window_id: Option<u64>,
        /// The index or the name of the workspace.
        reference: WorkspaceReference,
        /// Whether the focus follows the window.
        #[arg(long, default = true)]
        focus: bool,
    },
    /// Move the focused column to a workspace.
    MoveColumnToWorkspace {
        /// The index or the name of the workspace.
        reference: WorkspaceReference,
        /// Whether the focus follows the column.
        #[arg(long, default = true)]
        focus: bool,
    },
    /// Set the name of a workspace.
    #[command(idempotent)]
    SetWorkspaceName {
        /// The new name.
        #[arg(min_len = 1, max_len = 64)]
        name: String,
        /// The workspace; without it, the focused one.
        #[arg(long)]
        workspace: Option<WorkspaceReference>,
    },
    /// Unset the name of a workspace.
    #[command(idempotent)]
    UnsetWorkspaceName {
        /// The workspace; without it, the focused one.
        reference: Option<WorkspaceReference>,
    },
    /// Focus the monitor to the left.
    FocusMonitorLeft,
    /// Focus the monitor to the right.
    FocusMonitorRight,
    /// Focus a monitor by its name.
    FocusMonitor { output: String },
    /// Move a window to a monitor.
    MoveWindowToMonitor {
        /// The window; without it, the focused one.
        #[arg(long)]
        id: Option<u64>,
        output: String,
    },
    /// Change the width of a window.
    SetWindowWidth {
        /// The window; without it, the focused one.
        #[arg(long)]
        id: Option<u64>,
        /// Pixels or a percentage, with a sign for a change: 600, 50%, +10%, -20.
        change: SizeChange,
    },
    /// Change the height of a window.
    SetWindowHeight {
        /// The window; without it, the focused one.
        #[arg(long)]
        id: Option<u64>,
        /// Pixels or a percentage, with a sign for a change.
        change: SizeChange,
    },
    /// Switch between the preset widths of columns.
    SwitchPresetColumnWidth,
    /// Toggle the maximized state of the focused column.
    MaximizeColumn,
    /// Change the width of the focused column.
    SetColumnWidth { change: SizeChange },
    /// Switch the keyboard layout.
    SwitchLayout {
        /// next, prev, or the index of a layout.
        layout: LayoutTarget,
    },
    /// Show the hotkey overlay.
    ShowHotkeyOverlay,
    /// Move the focused workspace to a monitor.
    MoveWorkspaceToMonitor {
        output: String,
        /// The workspace; without it, the focused one.
        reference: Option<WorkspaceReference>,
    },
    /// Tint windows, to debug.
    #[command(hidden)]
    ToggleDebugTint,
    /// Move a window between the floating and the tiling layout.
    ToggleWindowFloating {
        /// The window; without it, the focused one.
        #[arg(long)]
        id: Option<u64>,
    },
    /// Move a floating window.
    MoveFloatingWindow {
        /// The window; without it, the focused one.
        #[arg(long)]
        id: Option<u64>,
        #[arg(long, short = 'x', default = "+0")]
        x: SizeChange,
        #[arg(long, short = 'y', default = "+0")]
        y: SizeChange,
    },
    /// Set the target of the dynamic cast to a monitor.
    SetDynamicCastMonitor {
        /// The monitor; without it, the focused one.
        output: Option<String>,
    },
    /// Toggle the overview.
    ToggleOverview,
    /// Open the overview.
    #[command(idempotent)]
    OpenOverview,
    /// Close the overview.
    #[command(idempotent)]
    CloseOverview,
    /// Mark a window as urgent.
    #[command(idempotent)]
    SetWindowUrgent {
        #[arg(long)]
        id: u64,
    },
    /// Reload the file of settings.
    #[command(idempotent)]
    LoadConfigFile,
}

/// A change of a monitor until the settings are loaded again.
#[derive(Commands, Clone, Debug, PartialEq)]
pub(crate) enum OutputAction {
    /// Turn a monitor off.
    Off,
    /// Turn a monitor on.
    On,
    /// Set the mode of a monitor.
    Mode {
        /// auto, or the width, the height and a refresh rate in hertz: 1920x1080 or 1920x1080@60.
        mode: ModeToSet,
    },
    /// Set the scale of a monitor.
    Scale {
        #[arg(range = 0.1..=10.0)]
        scale: f64,
    },
    /// Set the transform of a monitor.
    Transform { transform: Transform },
    /// Set the position of a monitor; without one, it is chosen automatically.
    Position { x: Option<i32>, y: Option<i32> },
    /// Switch the variable refresh rate of a monitor.
    Vrr {
        vrr: Switch,
        /// It is on only while a window asks for it.
        #[arg(flag)]
        on_demand: bool,
    },
}

/// The mode that a monitor is set to.
#[derive(Arg, Clone, Copy, Debug, PartialEq)]
#[arg(from_str)]
pub(crate) enum ModeToSet {
    Auto,
    Exact { width: u16, height: u16, refresh: Option<f64> },
}

impl FromStr for ModeToSet {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let (size, refresh) = match text.split_once('@') {
            Some((size, refresh)) => (size, Some(refresh)),
            None => (text, None),
        };
        let parsed = || {
            let (width, height) = size.split_once('x')?;
            let refresh = refresh.map(str::parse).transpose().ok()?;
            Some(Self::Exact { width: width.parse().ok()?, height: height.parse().ok()?, refresh })
        };
        parsed().ok_or("expected auto, or a mode such as 1920x1080@60")
    }
}

impl fmt::Display for ModeToSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Exact { width, height, refresh: None } => write!(f, "{width}x{height}"),
            Self::Exact { width, height, refresh: Some(refresh) } => {
                write!(f, "{width}x{height}@{refresh}")
            }
        }
    }
}

#[derive(Arg, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnDisplay {
    Normal,
    Tabbed,
}

#[derive(Arg, Clone, Copy, Debug, PartialEq, Eq)]
#[arg(ignore_case)]
pub(crate) enum Switch {
    #[arg(alias = "true", alias = "yes")]
    On,
    #[arg(alias = "false", alias = "no")]
    Off,
}

#[derive(Arg, dockipc::Reply, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transform {
    Normal,
    #[arg(name = "90")]
    Rotated90,
    #[arg(name = "180")]
    Rotated180,
    #[arg(name = "270")]
    Rotated270,
    Flipped,
}

/// A size or a position, or a change of it.
#[derive(Arg, Clone, Copy, Debug, PartialEq)]
#[arg(from_str)]
pub(crate) struct SizeChange {
    pub(crate) amount: f64,
    pub(crate) is_relative: bool,
    pub(crate) is_proportion: bool,
}

impl FromStr for SizeChange {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, is_proportion) = match text.strip_suffix('%') {
            Some(number) => (number, true),
            None => (text, false),
        };
        let amount = number.parse().map_err(|_| "expected a number, or one with %")?;
        Ok(Self { amount, is_relative: text.starts_with(['+', '-']), is_proportion })
    }
}

impl fmt::Display for SizeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_relative && self.amount >= 0.0 { "+" } else { "" };
        write!(f, "{sign}{}{}", self.amount, if self.is_proportion { "%" } else { "" })
    }
}

/// A workspace, by its index on the focused monitor or by its name.
#[derive(Arg, Clone, Debug, PartialEq, Eq)]
#[arg(from_str)]
pub(crate) enum WorkspaceReference {
    Index(u8),
    Name(String),
}

impl FromStr for WorkspaceReference {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<i32>() {
            Ok(index) => u8::try_from(index)
                .map(Self::Index)
                .map_err(|_| "the index of a workspace is 0 to 255"),
            Err(_) => Ok(Self::Name(text.to_owned())),
        }
    }
}

impl fmt::Display for WorkspaceReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "{index}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// The layout that becomes the keyboard's.
#[derive(Arg, Clone, Copy, Debug, PartialEq, Eq)]
#[arg(from_str)]
pub(crate) enum LayoutTarget {
    Next,
    Prev,
    Index(u8),
}

impl FromStr for LayoutTarget {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "next" => Ok(Self::Next),
            "prev" => Ok(Self::Prev),
            index => index.parse().map(Self::Index).map_err(|_| "expected next, prev or an index"),
        }
    }
}

impl fmt::Display for LayoutTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Next => f.write_str("next"),
            Self::Prev => f.write_str("prev"),
            Self::Index(index) => write!(f, "{index}"),
        }
    }
}
