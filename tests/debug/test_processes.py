"""The payload in real interpreters, without a container: what an editor can do in a step's process, and that
the step does not notice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from stepbridge.debug import DebugPlan, DebugpyCache, RelayServer, ScriptTarget, StepDebugger
from stepbridge.debug.plan import Mode

from tests.support.dap_client import DapClient

from .local_step import LocalStep, plain

WAIT = DebugPlan(mode="wait")
ARM = DebugPlan(mode="arm")

SCRIPT = """\
import os
import sys
import helper

def area(width, height):
    result = width * height
    return result

total = area(6, 7) + helper.one()
print("total", total)
print("to stderr", file=sys.stderr)
sys.exit(3)
"""
HELPER = """\
def one():
    value = 1
    return value
"""


@pytest.fixture
def script(step_folder: Path) -> Path:
    (step_folder / "helper.py").write_text(HELPER)
    path = step_folder / "script.py"
    path.write_text(SCRIPT)
    return path


@contextlib.asynccontextmanager
async def editor(debugger: StepDebugger) -> AsyncIterator[DapClient]:
    """A DAP client at the step's relay, as a stock editor is."""
    relay = RelayServer(debugger)
    client = await DapClient.connect("127.0.0.1", await relay.listen())
    try:
        async with client:
            yield client
    finally:
        await relay.close()


async def test_a_waiting_script_is_debugged_and_does_not_notice(
    cache: DebugpyCache, python: Path, script: Path
) -> None:
    expected = await plain([python, script.name], cwd=script.parent)
    async with LocalStep(cache, WAIT, [python, script.name], cwd=script.parent) as step:
        async with editor(step.debugger) as client:
            await client.attach(breakpoints={str(script): [6], str(script.parent / "helper.py"): [3]})
            path, line, top, body = await client.where()
            assert (path, line, top["name"]) == (str(script), 6, "area")
            assert await client.local_variables(top["id"]) == {"height": "7", "width": "6"}
            await client.resume(body["threadId"], "next")
            _, line, top, body = await client.where()
            assert line == 7
            assert await client.evaluate("result * 2", top["id"]) == "84"
            await client.resume(body["threadId"])
            path, line, top, body = await client.where()
            assert (path, line) == (str(script.parent / "helper.py"), 3)
            await client.resume(body["threadId"])
            await client.event("terminated")
        assert await step.result() == expected
        assert expected == (3, "total 43\n", "to stderr\n")
        assert step.names()[:2] == ["waiting", "attached"]


@pytest.mark.parametrize(
    "options",
    [["-u", "-Xdev", "-Wignore"], ["-B", "-X", "faulthandler", "--"], ["-m", "pkg.mod"], ["wrapper.sh"]],
)
async def test_however_the_script_is_started(
    cache: DebugpyCache, some_python: Path, script: Path, options: list[str]
) -> None:
    folder = script.parent
    (folder / "pkg").mkdir()
    (folder / "pkg" / "__init__.py").touch()
    target = script
    argv: list[str | Path] = [some_python, *options, script.name]
    if options[0] == "-m":
        target = folder / "pkg" / "mod.py"
        target.write_text(SCRIPT)
        argv = [some_python, *options]
    if options[0] == "wrapper.sh":
        (folder / "wrapper.sh").write_text(
            f"set -e\n{some_python} -m pip --version >/dev/null\n{some_python} script.py\n"
        )
        argv = ["bash", "wrapper.sh"]
    names = ScriptTarget(files=("script.py",), modules=("pkg.mod",), prefixes=())
    async with LocalStep(cache, WAIT, argv, cwd=folder, script=names) as step:
        async with editor(step.debugger) as client:
            await client.attach(breakpoints={str(target): [7]})
            path, line, top, body = await client.where()
            assert (path, line) == (str(target), 7)
            assert (await client.local_variables(top["id"]))["result"] == "42"
            await client.resume(body["threadId"])
            await client.event("terminated")
        code, out, _ = await step.result()
        assert (code, out) == (3, "total 43\n")


async def test_only_the_script_is_touched_not_its_parent(
    cache: DebugpyCache, some_python: Path, script: Path
) -> None:
    parent = script.parent / "toolkit.py"
    parent.write_text(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '--', 'script.py'], stdout=subprocess.PIPE)\n"
        "out = child.stdout.read()\n"  # to the end, as sagemaker-training does
        "sys.stdout.write(out.decode())\n"
        "sys.exit(child.wait())\n"
    )
    names = ScriptTarget(files=("script.py",), prefixes=())
    async with LocalStep(cache, WAIT, [some_python, parent.name], cwd=script.parent, script=names) as step:
        async with editor(step.debugger) as client:
            await client.attach(breakpoints={str(script): [10]})
            _, line, _, body = await client.where()
            assert line == 10
            await client.resume(body["threadId"])
            await client.event("terminated")
            # the editor is still connected: the parent's read must end all the same
            assert (await step.result())[:2] == (3, "total 43\n")
        assert {process.pid for _, process in step.states if process.pid} != {step.process.pid}
        assert len({process.pid for _, process in step.states}) == 1


async def test_stop_on_entry_stops_at_the_first_line_of_the_script(
    cache: DebugpyCache, python: Path, script: Path
) -> None:
    """Asked for by the plan (a stepIn into a step) or by the editor."""
    for plan, arguments in (
        (DebugPlan(mode="wait", stop_on_entry=True), {}),
        (WAIT, {"stopOnEntry": True}),
    ):
        async with LocalStep(cache, plan, [python, script.name], cwd=script.parent) as step:
            async with editor(step.debugger) as client:
                await client.attach(arguments)
                path, line, _, body = await client.where()
                assert (path, line) == (str(script), 1)
                await client.resume(body["threadId"])
                await client.event("terminated")
            assert (await step.result())[0] == 3


async def test_a_users_own_sitecustomize_and_usercustomize_run_too(
    cache: DebugpyCache, some_python: Path, script: Path
) -> None:
    """Before ours on the path (as /opt/ml/code is for the training toolkit) or behind it."""
    (script.parent / "sitecustomize.py").write_text("print('my sitecustomize')\n")
    payload = str(cache.payload() / "site")
    for path in (f"{payload}:{script.parent}", f"{script.parent}:{payload}"):
        if path.startswith(payload):
            (script.parent / "usercustomize.py").write_text("print('my usercustomize')\n")
        async with LocalStep(
            cache, WAIT, [some_python, script.name], cwd=script.parent, environment={"PYTHONPATH": path}
        ) as step:
            async with editor(step.debugger) as client:
                await client.attach(breakpoints={str(script): [6]})
                _, line, _, body = await client.where()
                assert line == 6
                await client.resume(body["threadId"])
                await client.event("terminated")
            expected = await plain(
                [some_python, script.name], cwd=script.parent, environment={"PYTHONPATH": str(script.parent)}
            )
            assert await step.result() == expected
            assert expected[1].startswith("my sitecustomize\n")
        (script.parent / "usercustomize.py").unlink(missing_ok=True)


@pytest.mark.parametrize("option", ["-I", "-S", "-E"])
async def test_an_interpreter_that_ignores_us_is_reported_absent(
    cache: DebugpyCache, script: Path, option: str
) -> None:
    argv = [sys.executable, option, "-c", "print('hello')"]
    async with LocalStep(cache, WAIT, argv, cwd=script.parent) as step:
        assert (await step.result())[:2] == (0, "hello\n")
        assert step.names() == ["absent"]


async def test_a_step_without_python_is_reported_absent(cache: DebugpyCache, step_folder: Path) -> None:
    async with LocalStep(cache, WAIT, ["bash", "-c", "echo hello"], cwd=step_folder) as step:
        assert (await step.result())[:2] == (0, "hello\n")
        assert step.names() == ["absent"]


async def test_released_without_an_editor_the_script_runs_at_full_speed(
    cache: DebugpyCache, some_python: Path, step_folder: Path
) -> None:
    (step_folder / "script.py").write_text(
        "import sys\nprint(sys.gettrace())\nfor _ in range(10): pass\nprint('done')\n"
    )
    async with LocalStep(cache, WAIT, [some_python, "script.py"], cwd=step_folder) as step:
        await step.state("waiting")
        await step.debugger.release()
        assert (await step.result())[:2] == (0, "None\ndone\n")
        assert step.names() == ["waiting", "released", "ended"]


async def test_a_wait_ends_after_its_time(cache: DebugpyCache, some_python: Path, script: Path) -> None:
    plan = DebugPlan(mode="wait", wait_seconds=0.2)
    async with LocalStep(cache, plan, [some_python, script.name], cwd=script.parent) as step:
        assert (await step.result())[0] == 3
        assert step.names() == ["waiting", "released", "ended"]


async def test_a_bridge_that_dies_lets_a_waiting_step_go_on(
    cache: DebugpyCache, some_python: Path, script: Path
) -> None:
    async with LocalStep(cache, WAIT, [some_python, script.name], cwd=script.parent) as step:
        await step.state("waiting")
        await step.debugger.close()
        assert (await step.result())[0] == 3


async def test_a_step_whose_bridge_is_gone_says_so_and_runs(
    cache: DebugpyCache, some_python: Path, script: Path
) -> None:
    step = LocalStep(cache, WAIT, [], cwd=script.parent)
    environment = step.environment()
    await step.debugger.close()
    ours = {key: environment[key] for key in ("PYTHONPATH", "STEPBRIDGE_DEBUG")}
    code, out, err = await plain([some_python, script.name], cwd=script.parent, environment=ours)
    assert (code, out) == (3, "total 43\n")
    assert "stepbridge: not debugging this process" in err


BUSY = """\
import os, sys, time
deadline = time.time() + 60
n = 0

def turn(count):
    here = count + 1
    return here

while time.time() < deadline and not os.path.exists("stop"):
    n = turn(n)
print("turned")
"""


async def test_an_armed_busy_loop_is_attached_on_the_spot(
    cache: DebugpyCache, python: Path, step_folder: Path
) -> None:
    script = step_folder / "script.py"
    script.write_text(BUSY)
    async with LocalStep(cache, ARM, [python, script.name], cwd=step_folder) as step:
        await step.state("armed")
        async with editor(step.debugger) as client:
            await client.attach(breakpoints={str(script): [7]})
            _, line, top, body = await client.where()
            assert line == 7
            assert int((await client.local_variables(top["id"]))["here"]) > 0
            await client.set_breakpoints(str(script), [])
            await client.resume(body["threadId"])
            await client.disconnect()
        await step.state("detached")
        async with editor(step.debugger) as client:  # and again, by the next editor
            await client.attach(breakpoints={str(script): [10]})  # in a frame that runs already
            _, line, _, body = await client.where()
            assert line == 10
            await client.set_breakpoints(str(script), [])
            (step_folder / "stop").touch()
            await client.resume(body["threadId"])
            await client.event("terminated")
        assert await step.result() == (0, "turned\n", "")


async def test_an_armed_script_costs_nothing(
    cache: DebugpyCache, some_python: Path, step_folder: Path
) -> None:
    """No thread, no module of debugpy, no trace function, no open warning."""
    (step_folder / "script.py").write_text(
        "import sys, json\n"
        "import threading, os\n"
        "print(json.dumps({'threads': threading.active_count(), 'trace': repr(sys.gettrace()),\n"
        "  'loaded': [m for m in ('debugpy', 'pydevd', 'subprocess', 'asyncio') if m in sys.modules],\n"
        "  'tasks': len(os.listdir('/proc/self/task'))}))\n"
    )
    argv = [some_python, "-X", "dev", "-W", "error", "script.py"]
    async with LocalStep(cache, ARM, argv, cwd=step_folder) as step:
        code, out, err = await step.result()
        assert (code, err) == (0, "")
        assert json.loads(out) == {"threads": 1, "trace": "None", "loaded": [], "tasks": 1}
        assert step.names() == ["armed", "ended"]


async def test_forked_workers_of_an_armed_process_can_be_attached_one_by_one(
    cache: DebugpyCache, step_folder: Path
) -> None:
    script = step_folder / "script.py"
    script.write_text(
        "import os, sys, time\n"
        "def work():\n"
        "    while not os.path.exists('stop'):\n"
        "        time.sleep(0.01)\n"
        "    os._exit(7)\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    work()\n"
        "print(os.waitpid(pid, 0)[1] >> 8)\n"
    )
    async with LocalStep(cache, ARM, [sys.executable, script.name], cwd=step_folder) as step:
        while not (workers := [p for p in step.debugger.processes() if p.forked]):
            await step.debugger.changed()
        relay = RelayServer(step.debugger)
        async with await DapClient.connect("127.0.0.1", await relay.listen()) as client:
            await client.attach({"stepbridgeProcess": workers[0].pid}, breakpoints={str(script): [4]})
            _, line, _, body = await client.where()
            assert line == 4
            await client.set_breakpoints(str(script), [])
            (step_folder / "stop").touch()
            await client.resume(body["threadId"])
            await client.event("terminated")
        await relay.close()
        assert (await step.result())[:2] == (0, "7\n")


CHILDREN = {
    "popen": (
        "import subprocess, sys\nsys.exit(subprocess.Popen([sys.executable, 'child.py']).wait())\n",
        "child.py",
        0,
    ),
    "fork": (
        "import multiprocessing, child\n"
        "if __name__ == '__main__':\n"
        "    multiprocessing.set_start_method('fork')\n"
        "    p = multiprocessing.Process(target=child.main)\n"
        "    p.start(); p.join()\n",
        "child.py",
        0,
    ),
    "spawn": (
        "import multiprocessing, child\n"
        "if __name__ == '__main__':\n"
        "    multiprocessing.set_start_method('spawn')\n"
        "    p = multiprocessing.Process(target=child.main)\n"
        "    p.start(); p.join()\n",
        "child.py",
        0,
    ),
}
CHILD = """\
def main():
    inside = 'child'
    print(inside, flush=True)

if __name__ == '__main__':
    main()
"""


@pytest.mark.parametrize("how", sorted(CHILDREN))
async def test_subprocesses_come_to_the_editor_by_themselves(
    cache: DebugpyCache, some_python: Path, step_folder: Path, how: str
) -> None:
    """debugpy announces them; the announced configuration leads back through the same relay."""
    text, name, code = CHILDREN[how]
    script, child_file = step_folder / "script.py", step_folder / name
    script.write_text(text)
    child_file.write_text(CHILD)
    async with LocalStep(cache, WAIT, [some_python, script.name], cwd=step_folder) as step:
        relay = RelayServer(step.debugger)
        port = await relay.listen()
        async with await DapClient.connect("127.0.0.1", port) as client:
            await client.attach({"name": "mine"}, breakpoints={str(child_file): [3]})
            async with asyncio.TaskGroup() as group:
                stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                following = group.create_task(follow_children(group, client, port, child_file, stopped))
                await asyncio.wait_for(stopped, 60)
                await client.event("terminated")
                following.cancel()
        await relay.close()
        result = await step.result()
        assert result[:2] == (code, "child\n"), result


async def test_a_child_that_no_editor_comes_for_is_let_go(
    cache: DebugpyCache, some_python: Path, step_folder: Path
) -> None:
    """The editor dies after debugpy has announced the child: parent and child must go on."""
    script = step_folder / "script.py"
    script.write_text(CHILDREN["popen"][0])
    (step_folder / "child.py").write_text(CHILD)
    step = LocalStep(cache, WAIT, [some_python, script.name], cwd=step_folder)
    async with step, editor(step.debugger) as client:
        await client.attach()
        await client.event("debugpyAttach")
        await client.close()
        assert (await step.result())[:2] == (0, "child\n")


async def test_an_attached_editor_stops_once_at_an_uncaught_exception(
    cache: DebugpyCache, python: Path, step_folder: Path
) -> None:
    script = step_folder / "script.py"
    script.write_text(CRASH.format(before="", call="main()"))
    expected = await plain([python, script.name], cwd=step_folder)
    async with LocalStep(cache, WAIT, [python, script.name], cwd=step_folder) as step:
        async with editor(step.debugger) as client:
            await client.attach(exceptions=["uncaught"])
            body = await client.stopped("exception")
            frames = await client.stack(body["threadId"])
            assert [(f["name"], f["line"]) for f in frames[:2]] == [("divide", 4), ("main", 9)]
            assert await client.local_variables(frames[0]["id"]) == {"bottom": "0", "top": "3"}
            await client.resume(body["threadId"])
            await client.event("terminated")
            assert len(client.events("stopped")) == 1
        assert await step.result() == expected


async def follow_children(
    group: asyncio.TaskGroup, client: DapClient, port: int, file: Path, stopped: asyncio.Future[None]
) -> None:
    """What an editor does with `debugpyAttach` (multiprocessing has trackers besides the real child)."""
    while True:
        configuration = await client.event("debugpyAttach")
        assert configuration["connect"] == {"host": "127.0.0.1", "port": port}
        group.create_task(debug_child(configuration, port, file, stopped))


async def debug_child(
    configuration: dict[str, Any], port: int, file: Path, stopped: asyncio.Future[None]
) -> None:
    async with await DapClient.connect("127.0.0.1", port) as client:
        await client.attach(configuration, breakpoints={str(file): [3]})
        message = await client.next(lambda m: m.get("event") in ("stopped", "terminated"))
        if message["event"] == "terminated":
            return
        thread = message["body"]["threadId"]
        top = (await client.stack(thread))[0]
        assert top["line"] == 3
        assert (await client.local_variables(top["id"]))["inside"] == "'child'"
        times = []
        for _ in range(15):
            began = time.perf_counter()
            await client.request("threads")
            times.append(time.perf_counter() - began)
        assert sorted(times)[7] < 0.02  # Nagle's algorithm would cost 0.044 s a round trip
        await client.resume(thread)
        await client.event("terminated")
        stopped.set_result(None)


async def test_ranks_of_a_job_are_announced_to_the_editor_that_is_there(
    cache: DebugpyCache, some_python: Path, script: Path
) -> None:
    """Processes started by a launcher that is no target (torchrun, mpirun): each waits on its own."""
    launcher = script.parent / "launcher.sh"
    launcher.write_text(f"{some_python} script.py & {some_python} script.py & wait\n")
    async with LocalStep(cache, WAIT, ["bash", launcher.name], cwd=script.parent) as step:
        relay = RelayServer(step.debugger)
        port = await relay.listen()
        async with await DapClient.connect("127.0.0.1", port) as first:
            asked: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

            def start(arguments: dict[str, Any]) -> dict[str, Any]:
                asked.set_result(arguments["configuration"])
                return {}

            first.answer("startDebugging", start)
            await first.attach(
                breakpoints={str(script): [7]}, initialize={"supportsStartDebuggingRequest": True}
            )
            body = await first.stopped()
            configuration = await asyncio.wait_for(asked, 60)
            async with await DapClient.connect("127.0.0.1", port) as second:
                await second.attach(configuration, breakpoints={str(script): [7]})
                inner = await second.stopped()
                await second.resume(inner["threadId"])
                await second.event("terminated")
            await first.resume(body["threadId"])
            await first.event("terminated")
        await relay.close()
        code, out, _ = await step.result()
        assert (code, out) == (0, "total 43\ntotal 43\n")


CRASH = """\
import sys
{before}
def divide(top, bottom):
    share = top / bottom
    return share

def main():
    rows = [1, 2, 3]
    return divide(len(rows), 0)

{call}
"""
CRASHES = {
    "uncaught": ("", "main()", 1),
    "hook reassigned": ("sys.excepthook = lambda t, v, tb: print('mine', t.__name__)", "main()", 1),
    "caught, then sys.exit": (
        "",
        "try:\n    main()\nexcept Exception as error:\n    print('failed', error)\n    sys.exit(255)",
        255,
    ),
}


@pytest.mark.parametrize("name", sorted(CRASHES))
async def test_a_crash_waits_for_the_editor_with_all_its_frames(
    cache: DebugpyCache, python: Path, step_folder: Path, name: str
) -> None:
    before, call, code = CRASHES[name]
    script = step_folder / "script.py"
    script.write_text(CRASH.format(before=before, call=call))
    expected = await plain([python, script.name], cwd=step_folder)
    plan = DebugPlan(mode="off", post_mortem=True)
    async with LocalStep(cache, plan, [python, script.name], cwd=step_folder) as step:
        crashed = await step.state("crashed")
        assert (Path(crashed.file).name, crashed.line) == ("script.py", 4)
        assert crashed.error == "ZeroDivisionError: division by zero"
        async with editor(step.debugger) as client:
            await client.attach()
            body = await client.stopped()
            frames = await client.stack(body["threadId"])
            assert [(f["name"], f["line"]) for f in frames[:2]] == [("divide", 4), ("main", 9)]
            assert await client.local_variables(frames[0]["id"]) == {"bottom": "0", "top": "3"}
            assert await client.evaluate("sum(rows)", frames[1]["id"]) == "6"
            info = await client.request("exceptionInfo", {"threadId": body["threadId"]})
            assert "ZeroDivisionError" in info["exceptionId"]
            await client.resume(body["threadId"])
            await client.event("terminated")
        assert await step.result() == expected
        assert expected[0] == code


@pytest.mark.parametrize("mode", ["wait", "arm"])
@pytest.mark.parametrize("wanted", [True, False])
async def test_an_attached_editors_own_filter_decides_about_an_uncaught_exception(
    cache: DebugpyCache, python: Path, step_folder: Path, mode: Mode, wanted: bool
) -> None:
    script = step_folder / "script.py"
    until_told = "import os, time\nwhile not os.path.exists('go'):\n    time.sleep(0.01)"
    script.write_text(CRASH.format(before=until_told, call="main()"))
    (step_folder / "go").touch()
    expected = await plain([python, script.name], cwd=step_folder)
    (step_folder / "go").unlink()
    plan = DebugPlan(mode=mode, post_mortem=True)
    async with LocalStep(cache, plan, [python, script.name], cwd=step_folder) as step:
        async with editor(step.debugger) as client:
            await client.attach(exceptions=["uncaught"] if wanted else [])
            (step_folder / "go").touch()
            if wanted:
                body = await client.stopped("exception")
                frames = await client.stack(body["threadId"])
                assert [f["name"] for f in frames[:2]] == ["divide", "main"]
                await client.resume(body["threadId"])
            await client.event("terminated")
            assert len(client.events("stopped")) == int(wanted)
        assert await step.result() == expected


async def test_a_crash_with_no_editor_is_released_after_its_time_or_on_demand(
    cache: DebugpyCache, some_python: Path, step_folder: Path
) -> None:
    script = step_folder / "script.py"
    script.write_text(CRASH.format(before="", call="main()"))
    expected = await plain([some_python, script.name], cwd=step_folder)
    short = DebugPlan(post_mortem=True, post_mortem_seconds=0.2)
    async with LocalStep(cache, short, [some_python, script.name], cwd=step_folder) as step:
        assert await step.result() == expected
        assert step.names() == ["crashed", "released", "ended"]
    async with LocalStep(
        cache, DebugPlan(post_mortem=True), [some_python, script.name], cwd=step_folder
    ) as step:
        await step.state("crashed")
        await step.debugger.release()
        assert await step.result() == expected


async def test_a_script_that_ends_well_is_not_held(
    cache: DebugpyCache, some_python: Path, step_folder: Path
) -> None:
    script = step_folder / "script.py"
    script.write_text(
        "import sys\n"
        "assert sys.excepthook is sys.__excepthook__\n"
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    sys.exit(0)\n"
    )
    plan = DebugPlan(mode="arm", post_mortem=True)
    async with LocalStep(cache, plan, [some_python, script.name], cwd=step_folder) as step:
        assert await step.result() == (0, "", "")
        assert step.names() == ["armed", "ended"]


async def test_a_script_with_a_debugpy_call_of_its_own_does_not_fail(
    cache: DebugpyCache, some_python: Path, step_folder: Path
) -> None:
    script = step_folder / "script.py"
    script.write_text(
        "import debugpy\n"
        "debugpy.configure(subProcess=False)\n"
        "debugpy.listen(('0.0.0.0', 5678))\n"
        "debugpy.wait_for_client()\n"
        "print('went on')\n"
    )
    async with LocalStep(cache, WAIT, [some_python, script.name], cwd=step_folder) as step:
        async with editor(step.debugger) as client:
            await client.attach(breakpoints={str(script): [5]})
            body = await client.stopped()
            await client.resume(body["threadId"])
            await client.event("terminated")
        assert await step.result() == (0, "went on\n", "")


async def test_a_daemon_that_closes_every_descriptor_keeps_its_files(
    cache: DebugpyCache, some_python: Path, step_folder: Path
) -> None:
    """Our descriptor's number may be a file of the program's by then: it must not be written to."""
    script = step_folder / "script.py"
    script.write_text(
        "import os\n"
        "os.closerange(3, 64)\n"
        "files = [open('data%d' % n, 'w') for n in range(8)]\n"
        "for f in files: f.write('mine')\n"
        "raise ValueError('x')\n"
    )
    plan = DebugPlan(mode="arm", post_mortem=True, post_mortem_seconds=0.2)
    async with LocalStep(cache, plan, [some_python, script.name], cwd=step_folder) as step:
        code, _, err = await step.result()
        assert code == 1
        assert "ValueError: x" in err
        assert [(step_folder / f"data{n}").read_text() for n in range(8)] == ["mine"] * 8


async def test_two_editors_cannot_hold_one_process(cache: DebugpyCache, script: Path) -> None:
    async with LocalStep(cache, WAIT, [sys.executable, script.name], cwd=script.parent) as step:
        await step.state("waiting")
        relay = RelayServer(step.debugger)
        port = await relay.listen()
        async with await DapClient.connect("127.0.0.1", port) as first:
            await first.attach(breakpoints={str(script): [7]})
            body = await first.stopped()
            async with await DapClient.connect("127.0.0.1", port) as second:
                await second.initialize()
                pid = step.debugger.processes()[0].pid
                with pytest.raises(AssertionError, match="another editor"):
                    await second.request("attach", {"stepbridgeProcess": pid})
            await first.resume(body["threadId"])
            await first.event("terminated")
        await relay.close()


async def test_an_editor_that_dies_leaves_the_step_to_the_next(cache: DebugpyCache, script: Path) -> None:
    async with LocalStep(cache, WAIT, [sys.executable, script.name], cwd=script.parent) as step:
        relay = RelayServer(step.debugger)
        port = await relay.listen()
        for moment in ("initialize", "attach"):
            client = await DapClient.connect("127.0.0.1", port)
            await client.initialize()
            if moment == "attach":
                client.begin("attach", {})
                await client.event("initialized")
            await client.close()
        async with await DapClient.connect("127.0.0.1", port) as client:
            await client.attach(breakpoints={str(script): [7]})
            body = await client.stopped()
            await client.resume(body["threadId"])
            await client.event("terminated")
        await relay.close()
        assert (await step.result())[0] == 3


async def test_nothing_is_left_behind(cache: DebugpyCache, script: Path) -> None:
    """No adapter, no socket file, after quick starts and stops at any point."""
    mark = {"SB_TESTER": uuid.uuid4().hex}
    for round_number in range(4):
        async with LocalStep(
            cache, WAIT, [sys.executable, script.name], cwd=script.parent, environment=mark
        ) as step:
            if round_number % 2:
                await step.state("waiting")
                assert len(adapters_of(mark["SB_TESTER"])) == 1
            step.process.kill()
            await step.result()
            assert not list(step.runtime.rglob("*"))
    deadline = time.monotonic() + 10
    while (left := adapters_of(mark["SB_TESTER"])) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)  # an adapter needs a moment to notice
    assert left == []


def adapters_of(tester: str) -> list[int]:
    """Adapter processes that a step of this test run started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                text = (entry / "environ").read_bytes()
                if b"STEPBRIDGE_ADAPTER=" in text and tester.encode() in text:
                    found.append(int(entry.name))
    return found


WORKER = """\
import socket
import sys

server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(1)
print("listening", flush=True)
connection, _ = server.accept()
script = connection.recv(100).decode()
scope = {}
exec(compile(open(script).read(), script, "exec"), scope)
connection.sendall(str(scope["model_fn"]()).encode())
"""
INFERENCE = """\
def model_fn():
    weight = 7
    return weight
"""


async def test_a_model_servers_worker_listens_before_it_waits(
    cache: DebugpyCache, python: Path, step_folder: Path
) -> None:
    """Its server gives it two minutes to listen; an editor has all the time it wants."""
    worker, script, address = (step_folder / name for name in ("model_service_worker.py", "inf.py", "sock"))
    worker.write_text(WORKER)
    script.write_text(INFERENCE)
    target = ScriptTarget(files=("model_service_worker.py",))
    argv = [python, str(worker), str(address)]
    async with LocalStep(cache, WAIT, argv, cwd=step_folder, script=target) as step:
        async with asyncio.timeout(30):
            while not address.exists():
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        assert "waiting" not in step.names()
        reader, writer = await asyncio.open_unix_connection(address)
        writer.write(str(script).encode())
        await step.state("waiting")
        async with editor(step.debugger) as client:
            await client.attach(breakpoints={str(script): [3]})
            path, line, top, body = await client.where()
            assert (path, line, top["name"]) == (str(script), 3, "model_fn")
            await client.resume(body["threadId"])
            assert await asyncio.wait_for(reader.read(), 30) == b"7"
        writer.close()
        assert await step.result() == (0, "listening\n", "")


SERVER = """\
import os
import time

read, write = os.pipe()
if os.fork() == 0:
    os.write(write, b"!")
    time.sleep(60)
os.read(read, 1)
print("forked", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("servers", [True, False])
async def test_an_editor_that_comes_to_an_armed_model_server_gets_its_worker(
    cache: DebugpyCache, step_folder: Path, servers: bool
) -> None:
    (step_folder / "serve").write_text(SERVER)
    target = ScriptTarget(files=("serve",), servers=servers)
    async with LocalStep(cache, ARM, [sys.executable, "serve"], cwd=step_folder, script=target) as step:
        async with asyncio.timeout(30):
            while len(step.debugger.processes()) < 2:
                await asyncio.sleep(0.02)
        chosen = await step.debugger.candidate()
        assert chosen.forked is servers
        for process in step.debugger.processes():
            os.kill(process.pid, signal.SIGKILL)
