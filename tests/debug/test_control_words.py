"""Words of the bridge come by a signal, which may come again while the one before is being obeyed."""

from __future__ import annotations

import subprocess
from pathlib import Path

SCRIPT = """\
import os, signal, socket, sys, time

sys.path.insert(0, sys.argv[1])
from stepbridge_payload.control import Control

server = socket.socket(socket.AF_UNIX)
server.bind("bridge")
server.listen(1)
seen = []


def obey(word):
    seen.append(word + " begins")
    if word == "untrace":
        bridge.sendall(b"attach\\n")
        time.sleep(0.2)  # the signal of the next word comes here
    seen.append(word + " ends")


control = Control("unix:bridge", obey)
bridge = server.accept()[0]
control.listen()
bridge.sendall(b"untrace\\n")
deadline = time.time() + 10
while len(seen) < 4 and time.time() < deadline:
    time.sleep(0.01)
print(", ".join(seen))
"""


def test_words_are_obeyed_one_after_the_other(some_python: Path, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    payload = Path(__file__).parents[2] / "bridge/stepbridge/debug/payload"
    done = subprocess.run(
        [some_python, "script.py", payload],
        cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "untrace begins, untrace ends, attach begins, attach ends"
