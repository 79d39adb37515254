"""While a run goes on: an entry in `.vscode/launch.json` for each step that waits for a debugger."""

from __future__ import annotations

from stepbridge.bridge import Bridge
from stepbridge.debug.launch_json import AttachEntry, write
from stepbridge.events import AnyEvent, StepDebug, shown_name


class LaunchJsonWriter:
    """Listens to a bridge's events. A stock VS Code attaches with what it writes, by F5."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._entries: dict[tuple[str, str], AttachEntry] = {}  # by step and host

    def __call__(self, event: AnyEvent) -> None:
        if not isinstance(event, StepDebug) or event.state not in ("waiting", "crashed"):
            return
        mappings = self._bridge.debuggers.mappings(event.run, event.step)
        settings = self._bridge.workspace.settings.debug
        name = shown_name(event.step, event.host)
        entry = AttachEntry(name, event.port, mappings, settings.just_my_code)
        if self._entries.get((event.step, event.host)) != entry:
            self._entries[event.step, event.host] = entry
            write(self._bridge.workspace.root, self._entries.values())
