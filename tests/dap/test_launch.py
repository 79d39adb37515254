"""Launching a pipeline: logs, children with breakpoints in scripts, exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.dap_client import RequestFailed

from .conftest import Editor, line_of, start_server

NOBODY = {
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
}


async def test_a_run_without_breakpoints_goes_to_its_end(editor: Editor, engine: str) -> None:
    await editor.launch(engine=engine)
    assert await editor.end() == 0
    stdout = editor.parent.output("stdout")
    assert "[Prepare] prepared 3 rows\n" in stdout
    assert "[Train] trained 3\n" in stdout
    assert editor.children == {}


async def test_the_launch_chooses_whether_s3_is_asked(project: Path) -> None:
    """Nobody is logged in here: with `aws` that is said, and without it nobody asks."""
    (project / "stepbridge.toml").write_text("aws = true")
    server = await start_server(project, variables=NOBODY)
    try:
        for given in ({"aws": True}, {}):
            client = await server.client()
            await client.initialize()
            with pytest.raises(RequestFailed, match="there are no AWS credentials"):
                await client.request("launch", {"program": str(project / "pipeline.py"), **given})
            await client.close()
        editor = Editor(server, project)
        await editor.launch(engine="process", aws=False)
        assert await editor.end() == 0
    finally:
        await server.stop()


async def test_a_breakpoint_in_a_script_stops_there(editor: Editor, engine: str) -> None:
    script = editor.project / "train.py"
    editor.breakpoints["train.py"] = [line_of(script, "total += epoch")]
    await editor.launch(engine=engine)
    child = await editor.child("Train")
    path, line, top, stopped = await child.where()
    assert stopped["reason"] == "breakpoint"
    assert (Path(path), line) == (script, line_of(script, "total += epoch"))
    assert (await child.local_variables(top["id"]))["epoch"] == "0"
    assert await child.evaluate("int(hyperparameters['epochs']) + 1", top["id"]) == "4"
    await child.set_breakpoints(str(script), [])
    await child.resume(stopped["threadId"])
    assert await editor.end() == 0
    assert list(editor.children) == ["Train"]  # nobody debugs the other steps
