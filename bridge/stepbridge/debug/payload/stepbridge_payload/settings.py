"""What the bridge wants of this process: the environment variable STEPBRIDGE_DEBUG, `key=value` pairs joined
by ";" (in values "%", ";" and "=" are percent-encoded; a key may come again). No JSON: its import alone would
cost each Python process of a step several milliseconds.
"""

import os

VARIABLE = "STEPBRIDGE_DEBUG"


class Settings:
    """One process' view of the plan.

    mode: "off", "arm" or "wait". post_mortem: seconds that a crash waits for an editor, or None.
    """

    def __init__(self, text):
        pairs = [pair.split("=", 1) for pair in text.split(";") if "=" in pair]
        values = [(key, _decoded(value)) for key, value in pairs]
        single = dict(values)
        self.mode = single.get("mode", "off")
        self.control = single.get("control", "")
        self.debugpy = single.get("debugpy", "")
        self.wait_seconds = float(single.get("wait", "3600"))
        self.post_mortem = float(single["post-mortem"]) if "post-mortem" in single else None
        self.stop_on_entry = single.get("stop-on-entry") == "1"
        self.files = [value for key, value in values if key == "file"]
        self.modules = [value for key, value in values if key == "module"]
        self.prefixes = [value.rstrip("/") for key, value in values if key == "prefix"]


def read():
    """The settings, or None in a process that no bridge started."""
    text = os.environ.get(VARIABLE)
    return Settings(text) if text else None


def _decoded(value):
    return value.replace("%3B", ";").replace("%3D", "=").replace("%25", "%")
