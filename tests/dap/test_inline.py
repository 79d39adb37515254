"""An editor with one session only: steps are debugged inside of it, one after the other."""

from __future__ import annotations

from pathlib import Path

from .conftest import Editor, line_of

ALONE = {"supportsStartDebuggingRequest": False}


async def test_steps_stop_in_the_one_session_one_at_a_time(editor: Editor, engine: str) -> None:
    train = editor.project / "train.py"
    editor.breakpoints = {"train.py": [line_of(train, "total += epoch")], "report.py": [2]}
    await editor.launch(engine=engine, features=ALONE)
    client = editor.parent
    seen = {}
    for _ in range(2):
        path, line, top, stopped = await client.where()
        assert stopped["reason"] == "breakpoint"
        name = Path(path).name
        seen[name] = line
        if name == "train.py":
            assert (await client.local_variables(top["id"]))["epoch"] == "0"
            assert await client.evaluate("hyperparameters['rate']", top["id"]) == "'0.5'"
            await client.resume(stopped["threadId"], "next")
            _, line, _, stopped = await client.where()
            assert line == line_of(train, 'print("epoch"')
            answer = await client.set_breakpoints(str(train), [])
            assert answer == []
        threads = {thread["id"]: thread["name"] for thread in (await client.request("threads"))["threads"]}
        assert threads[stopped["threadId"]] == "MainThread"
        assert "pipeline" in threads.values()
        await client.resume(stopped["threadId"])
    assert seen == {"train.py": line_of(train, "total += epoch"), "report.py": 2}
    assert await editor.end() == 0
    assert editor.configurations == []


async def test_the_pipeline_and_a_step_are_told_apart(editor: Editor) -> None:
    editor.breakpoints = {"report.py": [2]}
    await editor.launch(engine="process", functions=("Train",), features=ALONE)
    client = editor.parent
    stops = [await client.stopped(), await client.stopped()]
    pipeline, step = sorted(stops, key=lambda stop: -stop["threadId"])
    assert (await client.stack(pipeline["threadId"]))[0]["name"] == "Train (Training)"
    frame = (await client.stack(step["threadId"]))[0]
    assert frame["source"]["path"] == str(editor.project / "report.py")
    assert await client.evaluate("title * 2", frame["id"]) == "'reportreport'"
    own = (await client.stack(pipeline["threadId"]))[0]
    assert await client.evaluate("Parameters.Quality", own["id"]) == "7"
    await client.resume(step["threadId"])
    await client.resume(pipeline["threadId"])
    assert await editor.end() == 0


async def test_a_crash_and_a_restarted_step(editor: Editor) -> None:
    script = editor.project / "train.py"
    good = script.read_text()
    script.write_text(good.replace("total += epoch", "total += missing"))
    await editor.launch(engine="process", features=ALONE)
    client = editor.parent
    path, line, top, _ = await client.where()
    assert (path, line) == (str(script), line_of(script, "missing"))
    script.write_text(good)
    await client.request("restartFrame", {"frameId": top["id"]})
    assert await editor.end() == 0
    assert "[Train] trained 3" in client.output("stdout")


async def test_step_in_from_the_pipeline(editor: Editor) -> None:
    await editor.launch(engine="process", functions=("Train",), features=ALONE)
    stopped = await editor.parent.stopped()
    await editor.parent.resume(stopped["threadId"], "stepIn")
    path, line, _, body = await editor.parent.where()
    assert (path, line) == (str(editor.project / "train.py"), 1)
    await editor.parent.resume(body["threadId"])
    assert await editor.end() == 0


async def test_sub_processes_go_on_where_nobody_can_come_for_them(editor: Editor) -> None:
    (editor.project / "train.py").write_text(
        "import subprocess, sys\n"
        "started = True\n"
        "print(subprocess.run([sys.executable, '-c', 'print(6 * 7)'], capture_output=True).stdout)\n"
    )
    editor.breakpoints = {"train.py": [2]}
    await editor.launch(engine="process", features=ALONE)
    stopped = await editor.parent.stopped("breakpoint")
    await editor.parent.resume(stopped["threadId"])
    assert await editor.end() == 0
    assert "[Train] b'42\\n'" in editor.parent.output("stdout")
