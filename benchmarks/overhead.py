"""examples/wine through StepBridge against plain `docker run` of the same commands, turn by turn.

The plain side runs what StepBridge's own `spec.json` files say: same image, mounts, environment, command.
Limits (issue 2): overhead under 0.5 s a step and under 1.2 times in all; an unchanged second run reaches its
first step in under 0.5 s of our own time.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
IMAGE = "stepbridge-test/sklearn:latest"
ROUNDS = 5
STEPS = ("Preprocess", "Train", "Evaluate")


def bridge_run(project: Path) -> tuple[float, float, str]:
    """(seconds in all, seconds from the command to the first step's start, run id)."""
    command = [sys.executable, "-m", "stepbridge", "run", "pipeline.py", "--json", "--engine", "docker"]
    began = time.time()
    done = subprocess.run(
        [*command, "--image", f"*={IMAGE}"],
        cwd=project,
        env=os.environ
        | {"PYTHONDONTWRITEBYTECODE": ""},  # a checkout has its bytecode like an installed package
        capture_output=True,
        text=True,
        check=True,
    )
    seconds = time.time() - began
    events = [json.loads(line) for line in done.stdout.splitlines()]
    first = next(event["time"] for event in events if event["event"] == "step-started")
    return seconds, first - began, events[0]["run"]


def plain_command(spec: dict[str, Any]) -> list[str]:
    command = ["docker", "run", "--rm"]
    for name, value in spec["environment"].items():
        command += ["-e", f"{name}={value}"]
    for mount in spec["mounts"]:
        suffix = ":ro" if mount["read_only"] else ""
        if Path(mount["source"]).exists():
            command += ["-v", f"{mount['source']}:{mount['target']}{suffix}"]
    entrypoint = spec["entrypoint"] or []
    if entrypoint:
        command += ["--entrypoint", entrypoint[0]]
    return [*command, spec["image"], *entrypoint[1:], *(spec["command"] or [])]


def plain_run(project: Path, run: str) -> float:
    """The same three containers by hand. Outputs were moved away: each gets an empty folder again."""
    commands = []
    for step in STEPS:
        (spec,) = json.loads((project / ".stepbridge" / "runs" / run / step / "spec.json").read_text())
        for mount in spec["mounts"]:
            Path(mount["source"]).mkdir(parents=True, exist_ok=True) if "outputs" in mount["source"] else None
        commands.append(plain_command(spec))
    began = time.time()
    for command in commands:
        subprocess.run(command, capture_output=True, check=True)
    return time.time() - began


def main() -> int:
    if subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False).returncode:
        print(f"skipped: no image {IMAGE} (scripts/build_test_images.sh makes it)")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "wine"
        shutil.copytree(ROOT / "examples" / "wine", project, ignore=shutil.ignore_patterns(".stepbridge"))
        bridge_run(project)  # compiles
        pairs = []
        for _ in range(ROUNDS):
            seconds, first, run = bridge_run(project)
            pairs.append((seconds, first, plain_run(project, run)))
    ours, first, plain = (statistics.median(values) for values in zip(*pairs, strict=True))
    print(f"plain docker run   {plain:6.2f} s (median of {ROUNDS})")
    print(f"stepbridge run     {ours:6.2f} s")
    print(f"ratio              {ours / plain:6.2f}   limit 1.2")
    print(f"overhead a step    {(ours - plain) / len(STEPS):6.2f} s limit 0.5")
    print(f"to the first step  {first:6.2f} s limit 0.5")
    return 0


if __name__ == "__main__":
    sys.exit(main())
