"""What an editor waits for: the real server, driven over its standard input and output.

    python benchmarks/lsp_latency.py [--rounds 40] [--no-reference]

Key press to published diagnostics (the debounce is not counted), hover and completion, start to first
diagnostics against importing pygls alone, and memory with 50 open documents. Limits are those of issue 4; on
a busy machine the server's CPU time says more than the time waited. Beside it jedi-language-server, where
`uv` can fetch it: a general Python server, which knows nothing of pipelines, on the same program; and
cfn-lint, on a template with a pipeline in it.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "bridge"), str(ROOT / "lsp")]

from lsp_edit import definition, top_level  # noqa: E402
from stepbridge_lsp.connection import DEBOUNCE  # noqa: E402

SERVER = [sys.executable, "-m", "stepbridge", "lsp"]
CHECK = [sys.executable, "-m", "stepbridge", "check"]
IMPORTS = "import lsprotocol.types, pygls.lsp.server"
QUIET = 3.0  # seconds after a document's opening: the server has warmed up, as when a person has read it


class Client:
    """A language client of a few lines, so that what is measured is the server."""

    def __init__(self, command: list[str]) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'bridge'}{os.pathsep}{ROOT / 'lsp'}"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self.number = 0

    def send(self, **message: Any) -> None:
        assert self.process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def notify(self, method: str, **params: Any) -> None:
        self.send(method=method, params=params)

    def receive(self) -> dict[str, Any]:
        """The next message that is for us; requests of the server are answered with null."""
        assert self.process.stdout is not None
        while True:
            length = 0
            while (line := self.process.stdout.readline().strip()) or not length:
                if line.lower().startswith(b"content-length"):
                    length = int(line.split(b":")[1])
                elif not line and self.process.poll() is not None:
                    raise RuntimeError("the server has ended")
            message: dict[str, Any] = json.loads(self.process.stdout.read(length))
            if "id" in message and "method" in message:
                self.send(id=message["id"], result=None)
                continue
            return message

    def request(self, method: str, **params: Any) -> Any:
        self.number += 1
        self.send(id=self.number, method=method, params=params)
        while (message := self.receive()).get("id") != self.number:
            pass
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']}")
        return message["result"]

    def published(self, uri: str, version: int) -> list[Any]:
        while True:
            message = self.receive()
            params = message.get("params", {})
            if message.get("method") != "textDocument/publishDiagnostics" or params["uri"] != uri:
                continue
            if params.get("version") in (None, version):
                return list(params["diagnostics"])

    def greet(self) -> None:
        self.request("initialize", processId=os.getpid(), rootUri=None, capabilities={})
        self.notify("initialized")

    def open(self, uri: str, language: str, text: str) -> None:
        item = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", textDocument=item)

    def leave(self) -> None:
        self.request("shutdown")
        self.send(method="exit")
        self.process.wait(20)

    @property
    def processor_seconds(self) -> float:
        """CPU time of all threads of the server so far, in nanosecond steps."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9

    @property
    def megabytes(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


@contextmanager
def serving(command: list[str]) -> Iterator[Client]:
    client = Client(command)
    try:
        client.greet()
        yield client
        client.leave()
    finally:
        client.process.kill()
        client.process.wait()


def place(text: str, offset: int) -> dict[str, int]:
    """A position; these texts are ASCII."""
    return {"line": text.count("\n", 0, offset), "character": offset - text.rfind("\n", 0, offset) - 1}


@dataclass
class Times:
    """Milliseconds of single operations: until the answer, and of the server's processor."""

    client: Client
    waited: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)

    @contextmanager
    def one(self, debounce: float = 0.0) -> Iterator[None]:
        work, began = self.client.processor_seconds, time.perf_counter()
        yield
        self.waited.append((time.perf_counter() - began - debounce) * 1000)
        self.worked.append((self.client.processor_seconds - work) * 1000)


def p95(times: list[float]) -> float:
    return sorted(times)[max(0, round(len(times) * 0.95) - 1)]


# -- what is measured ------------------------------------------------------------------------------


def key_presses(client: Client, uri: str, text: str, rounds: int, debounce: float) -> Times:
    """Single edits, in words all over the text, until their diagnostics."""
    chance = random.Random(7)
    letters = [index for index, letter in enumerate(text) if letter.isalpha()]
    times = Times(client)
    version = 1
    for _ in range(rounds):
        start = chance.choice(letters)
        for typed, length in (("x", 0), ("", 1)):
            version += 1
            edit = {
                "range": {"start": place(text, start), "end": place(text, start + length)},
                "text": typed,
            }
            document = {"uri": uri, "version": version}
            with times.one(debounce):
                client.notify("textDocument/didChange", textDocument=document, contentChanges=[edit])
                client.published(uri, version)
    return times


def asking(client: Client, method: str, uri: str, text: str, pieces: list[str], rounds: int) -> Times:
    """Requests on places of a document."""
    times = Times(client)
    for number in range(rounds):
        before, _, after = pieces[number % len(pieces)].partition("|")
        offset = text.index(before + after) + len(before)
        with times.one():
            client.request(method, textDocument={"uri": uri}, position=place(text, offset))
    return times


def first_diagnostics(text: str) -> tuple[float, float]:
    """Milliseconds from the start of the process to the first diagnostics, waited and of CPU."""
    began = time.perf_counter()
    client = Client(SERVER)
    try:
        client.greet()
        client.open("file:///nowhere/a.py", "python", text)
        client.published("file:///nowhere/a.py", 1)
        took = (time.perf_counter() - began) * 1000, client.processor_seconds * 1000
        client.leave()
    finally:
        client.process.kill()
        client.process.wait()
    return took


def compiled() -> None:
    """Bytecode beside our sources, as an installation has it and as pygls has it: no start compiles."""
    for folder in ("bridge", "lsp"):
        compileall.compile_dir(ROOT / folder, quiet=1)


def importing() -> tuple[float, float]:
    """The same of a Python that imports what any pygls server must."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    work = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (time.perf_counter() - began) * 1000, work * 1000


def alternating(rounds: int, *measured: Callable[[], tuple[float, float]]) -> list[tuple[float, float]]:
    """Medians of several measurements that take turns, so that a busy moment meets all of them."""
    results: list[list[tuple[float, float]]] = [[] for _ in measured]
    for _ in range(rounds):
        for pairs, measure in zip(results, measured, strict=True):
            pairs.append(measure())
    return [
        (statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)) for pairs in results
    ]


HOVERS = [
    "prepare_3|.properties",
    'name="Train|5"',
    "TrainingInput(\n                s3_|data",
    "Condition|Step(",
]
COMPLETIONS = [
    "step_name=prepare_3.|name",
    'Outputs["tr|ain"]',
    'content_type="text|/csv"',
    'output_name="tr|ain"',
]
IN_DEFINITION = [
    '"TrainingInputMode": "Fi|le"',
    '"InstanceType": "ml|.m5.xlarge"',
    '"Get": "Parameters.Co|unt"',
]


def ours(rounds: int) -> Iterator[tuple[str, float, float, float, str]]:
    """(what, time waited or memory, CPU time, limit, unit) of our server."""
    program = top_level(2000)
    documents = [
        ("key press, 2,000-line program", "python", program, 50),
        ("key press, 50-step definition", "json", definition(50), 15),
        ("key press, 21,000-line definition", "json", definition(330), 60),
    ]
    with serving(SERVER) as client:
        for number, (name, language, text, limit) in enumerate(documents):
            uri = f"file:///nowhere/{number}.{'py' if language == 'python' else 'json'}"
            client.open(uri, language, text)
            client.published(uri, 1)
            time.sleep(QUIET)
            yield row(name, key_presses(client, uri, text, rounds, DEBOUNCE), limit)
            if language == "python":
                hovers = asking(client, "textDocument/hover", uri, text, HOVERS, rounds)
                yield row("hover, 2,000-line program", hovers, 20)
                found = asking(client, "textDocument/completion", uri, text, COMPLETIONS, rounds)
                yield row("completion, 2,000-line program", found, 20)
            elif limit == 60:
                hovers = asking(client, "textDocument/hover", uri, text, IN_DEFINITION, rounds)
                yield row("hover, 21,000-line definition", hovers, 20)
                found = asking(client, "textDocument/completion", uri, text, IN_DEFINITION, rounds)
                yield row("completion, 21,000-line definition", found, 20)
    compiled()
    small = top_level(200, 6)
    (start, work), (plain, plain_work) = alternating(5, lambda: first_diagnostics(small), importing)
    name = f"first diagnostics, less importing pygls ({plain_work:.0f} ms CPU)"
    yield name, start - plain, work - plain_work, 300, "ms"
    yield "memory, 50 open documents", memory(), 0, 120, "MB"


def row(name: str, times: Times, limit: float) -> tuple[str, float, float, float, str]:
    return name, p95(times.waited), p95(times.worked), limit, "ms"


def memory() -> float:
    """Resident megabytes with 25 programs and 25 definitions open."""
    with serving(SERVER) as client:
        for number in range(25):
            uri = f"file:///nowhere/p{number}.py"
            client.open(uri, "python", top_level(300, 9).replace("'big'", f"'big{number}'"))
            client.published(uri, 1)
            uri = f"file:///nowhere/d{number}.json"
            client.open(uri, "json", definition(10))
            client.published(uri, 1)
        time.sleep(QUIET)
        return client.megabytes


def fetched(tool: str) -> list[str] | None:
    """The command line of a tool that `uv` fetches; None where it cannot."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        return None
    command = [uv, "tool", "run", "--quiet", tool]
    asked = subprocess.run([*command, "--version"], capture_output=True, check=False)
    return None if asked.returncode else command


def template_checks() -> tuple[float, float] | None:
    """Seconds of `stepbridge check` and of cfn-lint for one CloudFormation template, start included.

    The template holds a pipeline of 50 steps; cfn-lint reads the template and not the definition in it.
    """
    command = fetched("cfn-lint")
    if command is None:
        return None
    pipeline = {
        "Type": "AWS::SageMaker::Pipeline",
        "Properties": {
            "PipelineName": "wine",
            "RoleArn": "arn:aws:iam::123456789012:role/Role",
            "PipelineDefinition": {"PipelineDefinitionBody": definition(50)},
        },
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "template.json"
        file.write_text(json.dumps({"Resources": {"Pipeline": pipeline}}))

        def seconds(words: list[str]) -> float:
            began = time.perf_counter()
            subprocess.run([*words, str(file)], capture_output=True, check=False)
            return time.perf_counter() - began

        pairs = [(seconds(CHECK), seconds(command)) for _ in range(5)]
    ours, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
    return ours, theirs


def reference(rounds: int) -> Iterator[tuple[str, float]]:
    """The same requests on the same program, of jedi-language-server."""
    command = fetched("jedi-language-server")
    if command is None:
        return
    program = top_level(2000)
    uri = "file:///nowhere/0.py"
    with serving(command) as client:
        client.open(uri, "python", program)
        for method, name, pieces in (
            ("textDocument/hover", "hover", HOVERS),
            ("textDocument/completion", "completion", COMPLETIONS),
        ):
            times = asking(client, method, uri, program, pieces, rounds)
            yield f"{name}, 2,000-line program", p95(times.waited)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--no-reference", action="store_true")
    options = parser.parse_args()
    began = time.perf_counter()
    sum(range(10_000_000))
    print(f"(adding ten million numbers takes this machine {(time.perf_counter() - began) * 1000:.0f} ms)\n")
    print(f"{'p95':58}{'waited':>11}{'CPU':>11}{'limit':>9}{'CPU of limit':>14}")
    for name, value, work, limit, unit in ours(options.rounds):
        shown = f"{work:>8.1f} {unit}" if work else " " * 11
        ratio = (work or value) / limit
        print(f"{name:58}{value:>8.1f} {unit}{shown}{limit:>6} {unit}{ratio:>14.2f}", flush=True)
    found = [] if options.no_reference else list(reference(options.rounds))
    for name, value in found:
        print(f"jedi-language-server: {name:36}{value:>8.1f} ms waited")
    if not found and not options.no_reference:
        print("jedi-language-server: not measured, uv cannot fetch it here")
    checks = None if options.no_reference else template_checks()
    if checks:
        print(f"a template with 50 steps: stepbridge check {checks[0]:.2f} s, cfn-lint {checks[1]:.2f} s")


if __name__ == "__main__":
    main()
