//! The commands, which run on the loop of the compositor.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use dockipc::{Commands as _, Deferred, Failure, Local, Stop, Stream, command};

use super::action::{Action, OutputAction};
use super::answers::{Event, KeyboardLayouts, Output, OutputConfigChanged, Window, Workspace};
use super::ui::Ui;

/// List the windows.
#[command(readonly, idempotent)]
fn windows(ui: Local<'_, Ui>) -> Vec<Window> {
    ui.windows.values().cloned().collect()
}

/// List the workspaces.
#[command(readonly, idempotent)]
fn workspaces(ui: Local<'_, Ui>) -> Vec<Workspace> {
    ui.workspaces.clone()
}

/// List the connected monitors.
#[command(readonly, idempotent)]
fn outputs(ui: Local<'_, Ui>) -> BTreeMap<String, Output> {
    ui.outputs.clone()
}

/// Show the layouts of the keyboard.
#[command(readonly, idempotent)]
fn keyboard_layouts(ui: Local<'_, Ui>) -> KeyboardLayouts {
    ui.layouts.clone()
}

/// Show the focused window.
#[command(readonly, idempotent)]
fn focused_window(ui: Local<'_, Ui>) -> Option<Window> {
    ui.windows.values().find(|window| window.is_focused).cloned()
}

/// Tell whether the overview is open.
#[command(readonly, idempotent)]
fn overview_state(ui: Local<'_, Ui>) -> bool {
    ui.is_overview_open
}

/// Let the user click on a window, and answer with it.
#[command]
fn pick_window(mut ui: Local<'_, Ui>) -> Deferred<Option<Window>> {
    let (later, answer) = Deferred::new();
    ui.picking.push(answer);
    later
}

/// Click on a window, as the user would.
#[command]
fn click(mut ui: Local<'_, Ui>, id: u64) {
    let window = ui.windows.get(&id).cloned();
    for answer in std::mem::take(&mut ui.picking) {
        answer.send(window.clone());
    }
}

/// Perform an action.
#[command]
fn action(mut ui: Local<'_, Ui>, stop: Stop, action: Action) -> Result<(), Failure> {
    if let Action::Quit { .. } = action {
        stop.after_answer();
    }
    ui.act(action)
}

/// Press the keys of a binding, as the user would.
#[command]
fn press(mut ui: Local<'_, Ui>, keys: &str) -> Result<(), Failure> {
    let bound = BINDINGS.iter().find(|(bound, _)| *bound == keys);
    let (_, words) = bound.ok_or_else(|| Failure::new("NOTFOUND", "nothing is bound to this"))?;
    ui.act(Action::from_words(words.split(' '))?)
}

/// The bindings of keys, which a compositor reads from its settings: the words of an action.
const BINDINGS: [(&str, &str); 3] = [
    ("Mod+O", "toggle-overview"),
    ("Mod+2", "focus-workspace 2"),
    ("Mod+Plus", "set-window-width +10%"),
];

/// Change a monitor until the settings are loaded again.
#[command(idempotent)]
fn output(
    mut ui: Local<'_, Ui>,
    /// The name of the monitor; `outputs` lists them.
    output: String,
    action: OutputAction,
) -> OutputConfigChanged {
    ui.change_output(&output, &action)
}

/// Receive the state of the compositor as events, and then each change.
#[command(readonly)]
fn event_stream(mut ui: Local<'_, Ui>) -> Stream<Event> {
    let (sender, events) = channel();
    for event in ui.as_events() {
        let _ = sender.send(event);
    }
    ui.listening.push(sender);
    // Each waits on a thread of the server. `dockipc::Events` has a queue with bounds instead.
    Stream::new(move |sink| {
        while !sink.is_closed() {
            match events.recv_timeout(Duration::from_millis(100)) {
                Ok(event) => sink.send(event)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        Ok(())
    })
}
