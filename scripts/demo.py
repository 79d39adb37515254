"""`make demo`: run examples/wine, stop in its train.py as an editor would, show what is seen there, go on."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Any

from stepbridge.debug import DebugStream
from stepbridge.debug.dap_frames import FrameStream, decode
from stepbridge.engines.select import choose
from stepbridge.errors import StepBridgeError

ROOT = Path(__file__).resolve().parent.parent
WINE = ROOT / "examples" / "wine"
SCRIPT = WINE / "training" / "train.py"
BREAK_AT = "model = build_model("
STEPBRIDGE = str(Path(sys.executable).with_name("stepbridge"))
IMAGES = ("stepbridge/scikit-learn:latest", "stepbridge-test/sklearn:latest")


async def engine_options() -> list[str]:
    """Containers where an engine and an image can be had; else local processes, with the reason."""
    choice = await choose("auto")
    try:
        if choice.engine.name == "process":
            print(f"engine: {choice.reason}")
            return ["--engine", "process"]
        for image in IMAGES:
            if await choice.engine.image(image) is not None:
                print(f"engine: {choice.engine.name}, image {image}")
                return ["--engine", "docker", "--image", f"*/sagemaker-scikit-learn:*={image}"]
    finally:
        await choice.engine.close()
    return build_image()


def build_image() -> list[str]:
    """Make the image from python:3.11-slim, where that can be had."""
    print(f"building {IMAGES[0]} from python:3.11-slim ...")
    build = [STEPBRIDGE, "image", "build", "sklearn", "--base", "python:3.11-slim", "--tag", IMAGES[0]]
    if subprocess.run(build, check=False).returncode == 0:
        return ["--engine", "docker", "--image", f"*/sagemaker-scikit-learn:*={IMAGES[0]}"]
    print("engine: local processes (an engine answers, but no image for scikit-learn can be had)")
    return ["--engine", "process"]


class Editor:
    """As much of a debug client as the demo needs."""

    def __init__(self, frames: FrameStream) -> None:
        self._frames = frames
        self._seq = 0
        self._kept: list[dict[str, Any]] = []

    @classmethod
    async def attach(cls, port: int) -> Editor:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
        return cls(FrameStream(DebugStream(reader, writer)))

    async def send(self, command: str, **arguments: Any) -> int:
        self._seq += 1
        request = {"seq": self._seq, "type": "request", "command": command, "arguments": arguments}
        await self._frames.send(request)
        return self._seq

    async def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        seq = await self.send(command, **arguments)
        return await self.until(lambda m: m["type"] == "response" and m["request_seq"] == seq)

    async def event(self, name: str) -> dict[str, Any]:
        return await self.until(lambda m: m["type"] == "event" and m["event"] == name)

    async def until(self, wanted: Any) -> dict[str, Any]:
        for message in self._kept:
            if wanted(message):
                self._kept.remove(message)
                return dict(message.get("body") or {})
        while (body := await self._frames.read()) is not None:
            message = decode(body)
            if wanted(message):
                return dict(message.get("body") or {})
            self._kept.append(message)
        raise SystemExit("the debugger went away")


async def look_inside(port: int) -> None:
    """Attach, stop at the breakpoint, print what is there, let it go on."""
    line = next(n for n, text in enumerate(SCRIPT.read_text().splitlines(), 1) if BREAK_AT in text)
    editor = await Editor.attach(port)
    await editor.ask(
        "initialize", adapterID="debugpy", clientID="demo", pathFormat="path", linesStartAt1=True
    )
    attach = await editor.send("attach", justMyCode=True)
    await editor.event("initialized")
    source = {"path": str(SCRIPT)}
    await editor.ask("setBreakpoints", source=source, breakpoints=[{"line": line}])
    await editor.ask("configurationDone")
    await editor.until(lambda m: m["type"] == "response" and m["request_seq"] == attach)
    stopped = await editor.event("stopped")
    frame = (await editor.ask("stackTrace", threadId=stopped["threadId"]))["stackFrames"][0]
    place = Path(frame["source"]["path"]).relative_to(ROOT)
    print(f"\nstopped in {place}:{frame['line']}, in {frame['name']}(), at a {stopped['reason']}")
    scopes = (await editor.ask("scopes", frameId=frame["id"]))["scopes"]
    variables = await editor.ask("variables", variablesReference=scopes[0]["variablesReference"])
    for variable in variables["variables"]:
        if variable.get("presentationHint", {}).get("kind") != "class" and variable.get("type"):
            print(f"  {variable['name']:<12}{variable['type']:<12}{' '.join(variable['value'].split())[:70]}")
    print("going on\n")
    await editor.ask("continue", threadId=stopped["threadId"])


async def events(process: asyncio.subprocess.Process) -> AsyncIterator[dict[str, Any]]:
    assert process.stdout is not None
    async for line in process.stdout:
        yield json.loads(line)


async def run_and_look(options: list[str], errors: IO[bytes]) -> int:
    """Run the example with `--debug Train`, play the editor, and return the exit code."""
    command = [
        STEPBRIDGE,
        "run",
        str(WINE / "pipeline.py"),
        "--json",
        "--debug",
        "Train",
        "--no-launch-json",
        *options,
    ]
    print("$ stepbridge run examples/wine/pipeline.py --debug Train")
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=errors, limit=2**20
    )
    async for event in events(process):
        match event["event"]:
            case "step-started":
                print(f"{event['step']} started")
            case "step-log":
                print(f"  {event['step']} | {event['line']}")
            case "step-debug" if event["state"] == "waiting":
                print(f"{event['step']} waits for a debugger on 127.0.0.1:{event['port']}")
                await look_inside(event["port"])
    return await process.wait()


def show_results() -> None:
    """The table of steps, and where the model lies."""
    shown = [STEPBRIDGE, "show", "latest"]
    subprocess.run(shown, cwd=WINE, check=True)
    answer = subprocess.run([*shown, "--json"], cwd=WINE, check=True, capture_output=True, text=True)
    steps = {step["name"]: step for step in json.loads(answer.stdout)["steps"]}
    uri = steps["Train"]["outputs"].get("model", "")
    print(f"\nmodel: {WINE / '.stepbridge' / 's3' / uri.removeprefix('s3://')}")


def main() -> int:
    options = asyncio.run(engine_options())
    with tempfile.TemporaryFile() as errors:  # what the SDK says while it compiles matters on failure only
        code = asyncio.run(run_and_look(options, errors))
        if code:
            errors.seek(0)
            sys.stderr.write(errors.read().decode(errors="replace"))
            return code
    show_results()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StepBridgeError as error:
        sys.exit(f"error: {error}")
