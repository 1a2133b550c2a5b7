//! The compositor's answers and events.

use std::path::PathBuf;

use dockipc::Reply;

use super::action::Transform;

#[derive(Reply, Clone, Debug)]
#[dockipc(table)]
pub(crate) struct Window {
    pub(crate) id: u64,
    pub(crate) title: Option<String>,
    pub(crate) app_id: Option<String>,
    pub(crate) workspace_id: Option<u64>,
    pub(crate) is_focused: bool,
    pub(crate) is_floating: bool,
    pub(crate) is_urgent: bool,
    pub(crate) layout: Layout,
}

#[derive(Reply, Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) position: Option<(u32, u32)>,
    pub(crate) size: (f64, f64),
}

#[derive(Reply, Clone, Debug)]
#[dockipc(table)]
pub(crate) struct Workspace {
    pub(crate) id: u64,
    pub(crate) idx: u8,
    pub(crate) name: Option<String>,
    pub(crate) output: Option<String>,
    pub(crate) is_focused: bool,
}

#[derive(Reply, Clone, Debug)]
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) make: String,
    pub(crate) modes: Vec<Mode>,
    pub(crate) is_vrr_enabled: bool,
    /// None for a monitor that is off.
    pub(crate) logical: Option<Logical>,
}

#[derive(Reply, Clone, Copy, Debug)]
pub(crate) struct Mode {
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) refresh_rate: u32,
}

#[derive(Reply, Clone, Copy, Debug)]
pub(crate) struct Logical {
    pub(crate) x: i32,
    pub(crate) y: i32,
    pub(crate) scale: f64,
    pub(crate) transform: Transform,
}

#[derive(Reply, Clone, Debug)]
pub(crate) struct KeyboardLayouts {
    pub(crate) names: Vec<String>,
    pub(crate) current_idx: usize,
}

#[derive(Reply, Clone, Copy, Debug)]
pub(crate) enum OutputConfigChanged {
    Applied,
    OutputWasMissing,
}

/// A change of the compositor's state.
#[derive(Reply, Clone, Debug)]
pub(crate) enum Event {
    WindowsChanged { windows: Vec<Window> },
    WorkspacesChanged { workspaces: Vec<Workspace> },
    WindowOpenedOrChanged { window: Window },
    WindowClosed { id: u64 },
    WindowFocusChanged { id: Option<u64> },
    WorkspaceActivated { id: u64 },
    KeyboardLayoutSwitched { idx: usize },
    OverviewOpenedOrClosed { is_open: bool },
    ScreenshotCaptured { path: Option<PathBuf> },
    ConfigLoaded,
}
