"""Children: which steps get a session, side by side, attached on the spot, restarted, after a crash."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.dap_client import DapClient, RequestFailed

from .conftest import Editor, line_of

SLOW = """\
import time
from pathlib import Path

ticks = 0
print("ready", flush=True)
while not Path("/opt/ml/processing/out/stop").exists() and ticks < 600:
    time.sleep(0.05)
    ticks += 1
print("over", flush=True)
"""


async def test_two_steps_side_by_side_have_a_child_each(editor: Editor, engine: str) -> None:
    editor.breakpoints = {"train.py": [line_of(editor.project / "train.py", "total = 0")], "report.py": [2]}
    await editor.launch(engine=engine)
    train, report = await editor.child("Train"), await editor.child("Report")
    for child, script, line in ((train, "train.py", 6), (report, "report.py", 2)):
        path, found, top, _ = await child.where()
        assert (Path(path).name, found) == (script, line)
        assert top["name"] == "<module>"
    assert await report.evaluate("title", (await report.stack(1))[0]["id"]) == "'report'"
    await train.resume(1)
    await report.resume(1)
    assert await editor.end() == 0


async def test_a_breakpoint_set_later_attaches_the_running_step(editor: Editor, engine: str) -> None:
    (editor.project / "prepare.py").write_text(SLOW)
    await editor.launch(engine=engine)
    await editor.parent.event("output", lambda body: "[Prepare] ready" in body["output"])
    assert editor.children == {}
    await editor.set_breakpoints("prepare.py", line_of(editor.project / "prepare.py", "ticks += 1"))
    child = await editor.child("Prepare")
    path, line, top, stopped = await child.where()
    assert (Path(path).name, line) == ("prepare.py", 8)
    assert int((await child.local_variables(top["id"]))["ticks"]) >= 0
    await editor.set_breakpoints("prepare.py")
    await child.request(
        "setVariable",
        {"variablesReference": await locals_of(child, top["id"]), "name": "ticks", "value": "600"},
    )
    await child.resume(stopped["threadId"])
    assert await editor.end() == 0
    assert "[Prepare] over" in editor.parent.output("stdout")


async def locals_of(child: DapClient, frame: int) -> int:
    return (await child.request("scopes", {"frameId": frame}))["scopes"][0]["variablesReference"]


async def test_restart_in_a_child_runs_the_step_again_with_the_edited_file(
    editor: Editor, engine: str
) -> None:
    script = editor.project / "train.py"
    editor.breakpoints["train.py"] = [line_of(script, 'print("trained"')]
    await editor.launch(engine=engine)
    child = await editor.child("Train")
    _, _, top, stopped = await child.where()
    assert (await child.local_variables(top["id"]))["total"] == "3"
    script.write_text(script.read_text().replace("total += epoch", "total += 10 * epoch"))
    await child.request("restart")
    await child.event("continued")
    _, line, top, stopped = await child.where()
    assert line == line_of(script, 'print("trained"')
    assert (await child.local_variables(top["id"]))["total"] == "30"
    await child.resume(stopped["threadId"])
    assert await editor.end() == 0
    out = editor.parent.output("stdout")
    assert out.count("[Prepare] prepared") == 1  # nothing else ran again
    assert "[Train] trained 30\n" in out
    assert len(editor.configurations) == 1  # the same session went on


async def test_a_crash_stops_at_the_raising_frame_though_nobody_traced(editor: Editor, engine: str) -> None:
    script = editor.project / "train.py"
    script.write_text(script.read_text().replace("total += epoch", "total += 1 // (1 - epoch)"))
    await editor.launch(engine=engine)
    child = await editor.child("Train")
    path, line, top, stopped = await child.where()
    assert stopped["reason"] == "exception"
    assert (Path(path), line) == (script, line_of(script, "1 // (1 - epoch)"))
    assert (await child.local_variables(top["id"]))["epoch"] == "1"
    assert await child.evaluate("hyperparameters['rate']", top["id"]) == "'0.5'"
    answer = await child.request("exceptionInfo", {"threadId": stopped["threadId"]})
    assert "ZeroDivisionError" in answer["exceptionId"]
    await child.resume(stopped["threadId"])
    assert await editor.end() == 1
    errors = editor.parent.output("stderr")
    assert "ZeroDivisionError" in errors
    assert f"Train crashed at {script}:{line}" in errors
    linked = [
        body
        for body in editor.parent.events("output")
        if re.search(r'\[Train\] +File "', body["output"])
        and body.get("source", {}).get("path") == str(script)
    ]
    assert [body["line"] for body in linked] == [line]  # a click on the traceback opens the file


async def test_an_exception_in_an_attached_step_stops_once(editor: Editor, engine: str) -> None:
    script = editor.project / "train.py"
    script.write_text(script.read_text().replace("total += epoch", "raise KeyError(epoch)"))
    editor.breakpoints["train.py"] = [line_of(script, "total = 0")]
    await editor.launch(engine=engine)
    child = await editor.child("Train")
    stopped = await child.stopped("breakpoint")
    await child.resume(stopped["threadId"])
    stopped = await child.stopped("exception")
    top = (await child.stack(stopped["threadId"]))[0]
    assert top["line"] == line_of(script, "raise KeyError")
    await child.resume(stopped["threadId"])
    assert await editor.end() == 1
    assert len(child.events("stopped")) == 2


async def test_raised_exceptions_are_a_wish_to_trace(editor: Editor) -> None:
    script = editor.project / "report.py"
    script.write_text("try:\n    {}['x']\nexcept KeyError:\n    print('caught')\n")
    editor.exceptions = ("raised",)
    await editor.launch(engine="process")
    child = await editor.child("Report")
    while True:
        stopped = await child.stopped("exception")
        top = (await child.stack(stopped["threadId"]))[0]
        if top["source"]["path"] == str(script):
            break
        await child.resume(stopped["threadId"])
    assert top["line"] == 2
    await editor.parent.disconnect()


async def test_a_crash_is_let_go_after_its_time(editor: Editor) -> None:
    (editor.project / "stepbridge.toml").write_text("[debug]\npost-mortem-seconds = 1.0\n")
    (editor.project / "train.py").write_text("import sys\nsys.exit(int('x'))\n")
    editor.begin_child = lambda configuration: None  # type: ignore[method-assign]
    await editor.launch(engine="process")
    assert await editor.end() == 1
    assert "ValueError" in editor.parent.output("stderr")


async def test_without_debugging_nothing_stops(editor: Editor) -> None:
    (editor.project / "train.py").write_text("raise SystemExit('no')\n")
    editor.breakpoints = {
        "pipeline.py": [line_of(editor.project / "pipeline.py", "train = ")],
        "train.py": [1],
    }
    await editor.launch(engine="process", noDebug=True)
    assert await editor.end() == 1
    assert editor.configurations == []


async def test_a_child_that_leaves_lets_the_step_go_on(editor: Editor, engine: str) -> None:
    editor.breakpoints["train.py"] = [line_of(editor.project / "train.py", "total = 0")]
    await editor.launch(engine=engine)
    child = await editor.child("Train")
    await child.stopped()
    await child.disconnect()
    assert await editor.end() == 0
    assert len(editor.configurations) == 1


async def test_a_child_that_dies_lets_the_step_go_on(editor: Editor, engine: str) -> None:
    editor.breakpoints["train.py"] = [line_of(editor.project / "train.py", "total = 0")]
    await editor.launch(engine=engine)
    child = await editor.child("Train")
    await child.stopped()
    await child.close()
    assert await editor.end() == 0


async def test_an_editor_that_refuses_a_child_holds_nothing_up(editor: Editor) -> None:
    editor.breakpoints["train.py"] = [1]
    editor.refuses = True
    await editor.launch(engine="process")
    assert await editor.end() == 0
    assert "started no debug session" in editor.parent.output("stderr")


async def test_the_extension_gets_events_instead_of_a_request(editor: Editor) -> None:
    editor.breakpoints["train.py"] = [line_of(editor.project / "train.py", "total = 0")]
    await editor.launch(
        engine="process", __client="stepbridge-vscode", features={"supportsStartDebuggingRequest": True}
    )
    body = await editor.parent.event("stepbridge/child")
    configuration = body["configuration"]
    assert configuration["type"] == "stepbridge"
    assert configuration["request"] == "attach"
    assert configuration["name"] == "Train"
    assert {"__run", "__step", "__pid", "__token"} <= set(configuration)
    editor.begin_child(configuration)
    child = await editor.child("Train")
    stopped = await child.stopped("breakpoint")
    await child.resume(stopped["threadId"])
    assert await editor.end() == 0
    kinds = [body["event"] for body in editor.parent.events("stepbridge/event")]
    assert kinds[0] == "run-started"
    assert kinds[-1] == "run-finished"
    assert {"step-started", "step-phase", "step-log", "step-debug", "step-finished"} <= set(kinds)


async def test_a_child_without_the_token_is_refused(editor: Editor) -> None:
    editor.breakpoints["train.py"] = [1]
    await editor.launch(engine="process", __client="stepbridge-vscode")
    body = await editor.parent.event("stepbridge/child")
    for change in ({"__token": "wrong"}, {"__token": ""}):
        client = await editor.server.client()
        await client.initialize()
        with pytest.raises(RequestFailed, match="token"):
            await client.request("attach", body["configuration"] | change)
        await client.close()
    editor.begin_child(body["configuration"])
    child = await editor.child("Train")
    await child.resume((await child.stopped())["threadId"])
    assert await editor.end() == 0


async def test_processes_that_a_step_starts_are_grandchildren(editor: Editor, engine: str) -> None:
    (editor.project / "train.py").write_text(
        "import multiprocessing\n"
        "\n"
        "def work(number):\n"
        "    doubled = 2 * number\n"
        "    return doubled\n"
        "\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.map(work, [21]))\n"
    )
    editor.breakpoints["train.py"] = [5]
    await editor.launch(engine=engine)
    grandchild = await editor.first_stopped("Subprocess")
    path, line, top, stopped = await grandchild.where()
    assert (path, line) == (str(editor.project / "train.py"), 5)
    assert (await grandchild.local_variables(top["id"]))["doubled"] == "42"
    await grandchild.resume(stopped["threadId"])
    assert await editor.end() == 0
    assert "[Train] [42]" in editor.parent.output("stdout")
