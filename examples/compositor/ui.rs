//! The state of the compositor, which belongs to one thread.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;

use dockipc::{Answerer, Commands as _, Failure};

use super::action::Transform;
use super::action::{Action, LayoutTarget, OutputAction, SizeChange, Switch, WorkspaceReference};
use super::answers::{
    Event, KeyboardLayouts, Layout, Logical, Mode, Output, OutputConfigChanged, Window, Workspace,
};

pub(crate) struct Ui {
    pub(crate) windows: BTreeMap<u64, Window>,
    pub(crate) workspaces: Vec<Workspace>,
    pub(crate) outputs: BTreeMap<String, Output>,
    pub(crate) layouts: KeyboardLayouts,
    pub(crate) is_overview_open: bool,
    /// The callers that wait for a click.
    pub(crate) picking: Vec<Answerer<Option<Window>>>,
    /// The callers that receive events.
    pub(crate) listening: Vec<Sender<Event>>,
}

impl Ui {
    pub(crate) fn new() -> Self {
        let workspace = |id, idx| Workspace {
            id,
            idx,
            name: None,
            output: Some("eDP-1".into()),
            is_focused: idx == 1,
        };
        let modes = vec![Mode { width: 1920, height: 1200, refresh_rate: 60_000 }];
        let logical = Some(Logical { x: 0, y: 0, scale: 1.0, transform: Transform::Normal });
        let output = Output {
            name: "eDP-1".into(),
            make: "BOE".into(),
            modes,
            is_vrr_enabled: false,
            logical,
        };
        Self {
            windows: BTreeMap::new(),
            workspaces: vec![workspace(1, 1), workspace(2, 2)],
            outputs: BTreeMap::from([(output.name.clone(), output)]),
            layouts: KeyboardLayouts {
                names: vec!["English (US)".into(), "German".into()],
                current_idx: 0,
            },
            is_overview_open: false,
            picking: Vec::new(),
            listening: Vec::new(),
        }
    }

    /// Returns the state as events.
    pub(crate) fn as_events(&self) -> Vec<Event> {
        vec![
            Event::WorkspacesChanged { workspaces: self.workspaces.clone() },
            Event::WindowsChanged { windows: self.windows.values().cloned().collect() },
            Event::OverviewOpenedOrClosed { is_open: self.is_overview_open },
        ]
    }

    /// Performs an action. A small compositor does not know all of them.
    pub(crate) fn act(&mut self, action: Action) -> Result<(), Failure> {
        match action {
            Action::Spawn { command } => self.open(&command[0], &command.join(" ")),
            Action::SpawnSh { command } => self.open("sh", &command),
            Action::CloseWindow { id } => {
                let id = self.window(id)?.id;
                self.windows.remove(&id);
                self.tell(&Event::WindowClosed { id });
            }
            Action::FocusWindow { id } => {
                self.window(Some(id))?;
                self.focus(id);
            }
            Action::ToggleWindowFloating { id } => {
                self.change(id, |window| window.is_floating = !window.is_floating)?;
            }
            Action::SetWindowUrgent { id } => {
                self.change(Some(id), |window| window.is_urgent = true)?;
            }
            Action::SetWindowWidth { id, change } => {
                self.change(id, |window| resize(&mut window.layout.size.0, change))?;
            }
            Action::SetWindowHeight { id, change } => {
                self.change(id, |window| resize(&mut window.layout.size.1, change))?;
            }
            Action::FocusWorkspace { reference } => {
                let id = self.workspace(Some(&reference))?.id;
                self.focus_workspace(id);
            }
            Action::MoveWindowToWorkspace { window_id, reference, focus } => {
                let workspace = self.workspace(Some(&reference))?.id;
                self.change(window_id, |window| window.workspace_id = Some(workspace))?;
                if focus {
                    self.focus_workspace(workspace);
                }
            }
            Action::SetWorkspaceName { name, workspace } => {
                self.workspace(workspace.as_ref())?.name = Some(name);
            }
            Action::UnsetWorkspaceName { reference } => {
                self.workspace(reference.as_ref())?.name = None;
            }
            Action::SwitchLayout { layout } => {
                let count = self.layouts.names.len();
                let current = self.layouts.current_idx;
                let idx = match layout {
                    LayoutTarget::Next => (current + 1) % count,
                    LayoutTarget::Prev => (current + count - 1) % count,
                    LayoutTarget::Index(index) => usize::from(index).min(count - 1),
                };
                self.layouts.current_idx = idx;
                self.tell(&Event::KeyboardLayoutSwitched { idx });
            }
            Action::Screenshot { path, .. } | Action::ScreenshotWindow { path, .. } => {
                self.tell(&Event::ScreenshotCaptured { path });
            }
            Action::ToggleOverview => self.show_overview(!self.is_overview_open),
            Action::OpenOverview => self.show_overview(true),
            Action::CloseOverview => self.show_overview(false),
            Action::LoadConfigFile => self.tell(&Event::ConfigLoaded),
            Action::Quit { .. } => {}
            other => {
                let action = other.to_words().remove(0);
                let message = format!("this compositor is too small for {}", action.display());
                return Err(Failure::new("UNSUPPORTED", message));
            }
        }
        Ok(())
    }

    pub(crate) fn change_output(
        &mut self,
        output: &str,
        action: &OutputAction,
    ) -> OutputConfigChanged {
        let Some(output) = self.outputs.get_mut(output) else {
            return OutputConfigChanged::OutputWasMissing;
        };
        let logical = Logical { x: 0, y: 0, scale: 1.0, transform: Transform::Normal };
        if let OutputAction::Off = action {
            output.logical = None;
            return OutputConfigChanged::Applied;
        }
        let logical = output.logical.get_or_insert(logical);
        match *action {
            OutputAction::Scale { scale } => logical.scale = scale,
            OutputAction::Transform { transform } => logical.transform = transform,
            OutputAction::Position { x, y } => {
                (logical.x, logical.y) = (x.unwrap_or(0), y.unwrap_or(0));
            }
            OutputAction::Vrr { vrr, .. } => output.is_vrr_enabled = vrr == Switch::On,
            // The only one is the current one.
            OutputAction::Mode { .. } | OutputAction::On | OutputAction::Off => {}
        }
        OutputConfigChanged::Applied
    }

    fn open(&mut self, app: &str, title: &str) {
        let id = self.windows.last_key_value().map_or(1, |(last, _)| last + 1);
        let workspace = self.workspaces.iter().find(|workspace| workspace.is_focused);
        let window = Window {
            id,
            title: Some(title.to_owned()),
            app_id: Some(app.to_owned()),
            workspace_id: workspace.map(|workspace| workspace.id),
            is_focused: false,
            is_floating: false,
            is_urgent: false,
            layout: Layout { position: Some((1, 1)), size: (960.0, 1200.0) },
        };
        self.windows.insert(id, window.clone());
        self.tell(&Event::WindowOpenedOrChanged { window });
        self.focus(id);
    }

    fn focus(&mut self, id: u64) {
        for window in self.windows.values_mut() {
            window.is_focused = window.id == id;
        }
        self.tell(&Event::WindowFocusChanged { id: Some(id) });
    }

    fn focus_workspace(&mut self, id: u64) {
        for workspace in &mut self.workspaces {
            workspace.is_focused = workspace.id == id;
        }
        self.tell(&Event::WorkspaceActivated { id });
    }

    fn show_overview(&mut self, is_open: bool) {
        self.is_overview_open = is_open;
        self.tell(&Event::OverviewOpenedOrClosed { is_open });
    }

    fn change(&mut self, id: Option<u64>, change: impl FnOnce(&mut Window)) -> Result<(), Failure> {
        let window = self.window(id)?;
        change(window);
        let window = window.clone();
        self.tell(&Event::WindowOpenedOrChanged { window });
        Ok(())
    }

    fn window(&mut self, id: Option<u64>) -> Result<&mut Window, Failure> {
        let is_meant = |window: &&mut Window| match id {
            Some(id) => window.id == id,
            None => window.is_focused,
        };
        let none = || match id {
            Some(id) => Failure::new("NOTFOUND", format!("no window {id}")),
            None => Failure::new("NOTFOUND", "no window has the focus"),
        };
        self.windows.values_mut().find(is_meant).ok_or_else(none)
    }

    fn workspace(
        &mut self,
        reference: Option<&WorkspaceReference>,
    ) -> Result<&mut Workspace, Failure> {
        let is_meant = |workspace: &&mut Workspace| match reference {
            None => workspace.is_focused,
            Some(WorkspaceReference::Index(index)) => workspace.idx == *index,
            Some(WorkspaceReference::Name(name)) => workspace.name.as_ref() == Some(name),
        };
        let none = || Failure::new("NOTFOUND", "no such workspace");
        self.workspaces.iter_mut().find(is_meant).ok_or_else(none)
    }

    /// Tells the callers of `event-stream`.
    fn tell(&mut self, event: &Event) {
        self.listening.retain(|listener| listener.send(event.clone()).is_ok());
    }
}

fn resize(size: &mut f64, change: SizeChange) {
    let amount = if change.is_proportion { change.amount / 100.0 * 1920.0 } else { change.amount };
    *size = if change.is_relative { *size + amount } else { amount };
}
