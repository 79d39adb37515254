"""Steps as statements: stops before steps, what they show, what can be changed, how one goes on."""

from __future__ import annotations

import json

import pytest

from tests.support.dap_client import JSON, DapClient, RequestFailed

from .conftest import Editor, line_of, scopes, variables


async def top_of(client: DapClient, stopped: JSON) -> JSON:
    return (await client.stack(stopped["threadId"]))[0]


async def test_a_breakpoint_on_a_steps_line_stops_before_it_starts(editor: Editor) -> None:
    program = editor.project / "pipeline.py"
    line = line_of(program, '"Train",')
    editor.breakpoints["pipeline.py"] = [line]
    await editor.launch(engine="process")
    answers = [m for m in editor.parent.messages if m.get("command") == "setBreakpoints"]
    assert answers[0]["body"]["breakpoints"][0]["verified"]
    assert answers[0]["body"]["breakpoints"][0]["line"] == line - 1  # where the constructor begins
    stopped = await editor.parent.stopped("breakpoint")
    stack = await editor.parent.stack(stopped["threadId"])
    assert [frame["name"] for frame in stack] == [
        "Train (Training)",
        "Prepare (Succeeded)",
        stack[2]["name"],
    ]
    assert stack[2]["name"].startswith("small (run ")
    assert (stack[0]["source"]["path"], stack[0]["line"]) == (str(program), line - 1)
    assert stack[1]["line"] == line_of(program, "prepare = processing_step")
    assert "[Train]" not in editor.parent.output("stdout")
    await editor.parent.resume(stopped["threadId"])
    assert await editor.end() == 0


async def test_scopes_show_parameters_arguments_upstream_and_environment(editor: Editor) -> None:
    await editor.launch(engine="process", functions=("Train",), parameters={"Quality": 9, "Title": "x"})
    stopped = await editor.parent.stopped("function breakpoint")
    client, top = editor.parent, await top_of(editor.parent, stopped)
    shown = await scopes(client, top["id"])
    assert list(shown) == ["Parameters", "Arguments", "Upstream", "Environment"]
    parameters = await variables(client, shown["Parameters"]["variablesReference"])
    assert {name: item["value"] for name, item in parameters.items()} == {"Quality": "9", "Title": '"x"'}
    arguments = await variables(client, shown["Arguments"]["variablesReference"])
    hyper = await variables(client, arguments["HyperParameters"]["variablesReference"])
    assert hyper["epochs"]["value"] == '"3"'
    assert hyper["epochs"]["evaluateName"] == "/HyperParameters/epochs"
    upstream = await variables(client, shown["Upstream"]["variablesReference"])
    assert list(upstream) == ["Prepare"]
    prepare = await variables(client, upstream["Prepare"]["variablesReference"])
    assert prepare["Status"]["value"] == '"Succeeded"'
    outputs = await variables(client, prepare["Outputs"]["variablesReference"])
    assert outputs["out"]["value"] == '"s3://results/Prepare"'
    files = await variables(client, prepare["Files"]["variablesReference"])
    assert "results/Prepare" in files["out"]["value"]
    environment = await variables(client, shown["Environment"]["variablesReference"])
    assert environment["FLAVOR"]["value"] == '"plain"'
    finished = (await client.stack(stopped["threadId"]))[1]
    assert "Result" in await scopes(client, finished["id"])
    await client.disconnect()


async def test_a_changed_argument_reaches_the_step(editor: Editor) -> None:
    await editor.launch(engine="process", functions=("Train",))
    stopped = await editor.parent.stopped()
    client, top = editor.parent, await top_of(editor.parent, stopped)
    shown = await scopes(client, top["id"])
    arguments = await variables(client, shown["Arguments"]["variablesReference"])
    hyper = arguments["HyperParameters"]["variablesReference"]
    answer = await client.request(
        "setVariable", {"variablesReference": hyper, "name": "epochs", "value": "5"}
    )
    assert answer["value"] == '"5"'
    environment = shown["Environment"]["variablesReference"]
    await client.request(
        "setVariable", {"variablesReference": environment, "name": "FLAVOR", "value": '"sweet"'}
    )
    await client.request(
        "setExpression",
        {"expression": "/StoppingCondition/MaxRuntimeInSeconds", "value": "120", "frameId": top["id"]},
    )
    assert await client.evaluate("StoppingCondition.MaxRuntimeInSeconds", top["id"]) == "120"
    with pytest.raises(RequestFailed, match="is a number"):
        await client.request(
            "setExpression",
            {"expression": "/ResourceConfig/InstanceCount", "value": "many", "frameId": top["id"]},
        )
    parameters = shown["Parameters"]["variablesReference"]
    with pytest.raises(RequestFailed, match="settled for this run"):
        await client.request(
            "setVariable", {"variablesReference": parameters, "name": "Quality", "value": "1"}
        )
    await client.resume(stopped["threadId"])
    assert await editor.end() == 0
    assert "[Train] epoch 4 total 10\n" in client.output("stdout")
    models = list((editor.project / ".stepbridge" / "s3" / "models").rglob("model.tar.gz"))
    assert len(models) == 1


async def test_expressions_reach_everything_that_is_known(editor: Editor) -> None:
    await editor.launch(engine="process", functions=("Check",))
    stopped = await editor.parent.stopped()
    client, top = editor.parent, await top_of(editor.parent, stopped)
    frame = top["id"]
    model = json.loads(await client.evaluate("Steps.Train.ModelArtifacts.S3ModelArtifacts", frame))
    assert model.startswith("s3://models/")
    assert (
        json.loads(await client.evaluate("train.properties.ModelArtifacts.S3ModelArtifacts", frame)) == model
    )
    assert await client.evaluate("Parameters.Quality", frame) == "7"
    assert await client.evaluate("Parameters.Quality >= 8", frame) == "false"
    assert await client.evaluate("/Conditions/0/RightValue", frame) == "5"
    assert await client.evaluate("prepare.name", frame) == '"Prepare"'
    file = json.loads(await client.evaluate("Steps.Train.Files.model", frame))
    assert file.endswith("model.tar.gz")
    with pytest.raises(RequestFailed, match="Trian"):
        await client.evaluate("Steps.Trian.ModelArtifacts", frame)
    answer = await client.request("completions", {"text": "Steps.T", "column": 8, "frameId": frame})
    assert "Steps.Train" in [target["label"] for target in answer["targets"]]
    await client.resume(stopped["threadId"])
    assert await editor.end() == 0


async def test_next_runs_the_step_and_stops_at_the_following_one(editor: Editor) -> None:
    await editor.launch(engine="process", stopOnEntry=True)
    seen = []
    stopped = await editor.parent.stopped("entry")
    first = stopped["threadId"]
    seen.append((await top_of(editor.parent, stopped))["name"])
    await editor.parent.resume(first, "next")
    stopped = await editor.parent.stopped("step")
    assert stopped["threadId"] == first
    seen.append((await top_of(editor.parent, stopped))["name"])
    assert "[Prepare] prepared" in editor.parent.output("stdout")
    await editor.parent.resume(first, "next")
    stopped = await editor.parent.stopped("step")
    seen.append((await top_of(editor.parent, stopped))["name"])
    assert seen == ["Prepare (Processing)", "Train (Training)", "Check (Condition)"]
    await editor.parent.resume(stopped["threadId"])
    assert await editor.end() == 0


async def test_branches_that_are_not_stopped_keep_running(editor: Editor) -> None:
    await editor.launch(engine="process", functions=("Train", "Report"))
    stops = [await editor.parent.stopped(), await editor.parent.stopped()]
    names = [(await top_of(editor.parent, stop))["name"] for stop in stops]
    assert sorted(names) == ["Report (Processing)", "Train (Training)"]
    assert stops[0]["threadId"] != stops[1]["threadId"]
    threads = (await editor.parent.request("threads"))["threads"]
    assert {thread["id"] for thread in threads} == {stop["threadId"] for stop in stops}
    train = stops[names.index("Train (Training)")]
    await editor.parent.resume(train["threadId"])
    await editor.parent.event("output", lambda body: "Train: Succeeded" in body["output"])
    assert "[Report]" not in editor.parent.output("stdout")  # still held
    report = stops[names.index("Report (Processing)")]
    await editor.parent.resume(report["threadId"])
    assert await editor.end() == 0


async def test_step_in_goes_to_the_first_line_of_the_script(editor: Editor, engine: str) -> None:
    await editor.launch(engine=engine, functions=("Train",))
    stopped = await editor.parent.stopped()
    await editor.parent.resume(stopped["threadId"], "stepIn")
    child = await editor.child("Train")
    path, line, _, body = await child.where()
    assert (path, line) == (str(editor.project / "train.py"), 1)
    await child.resume(body["threadId"])
    assert await editor.end() == 0


async def test_step_in_of_a_step_without_a_script_goes_to_the_next_one(editor: Editor) -> None:
    await editor.launch(engine="process", functions=("Check",), parameters={"Quality": 1})
    stopped = await editor.parent.stopped()
    await editor.parent.resume(stopped["threadId"], "stepIn")
    stopped = await editor.parent.stopped("step")
    assert (await top_of(editor.parent, stopped))["name"] == "TooLow (Fail)"
    await editor.parent.resume(stopped["threadId"])
    assert await editor.end() == 1
    assert "the quality is too low" in editor.parent.output("stderr")


async def test_a_finished_step_runs_again_by_restart_frame(editor: Editor) -> None:
    await editor.launch(engine="process", functions=("Train",))
    stopped = await editor.parent.stopped()
    prepare = (await editor.parent.stack(stopped["threadId"]))[1]
    await editor.parent.request("restartFrame", {"frameId": prepare["id"]})
    again = await editor.parent.stopped("restart")
    assert (await top_of(editor.parent, again))["name"] == "Prepare (Processing)"
    await editor.parent.resume(again["threadId"])
    await editor.parent.event("output", lambda body: "Prepare: Succeeded" in body["output"])
    assert editor.parent.output("stdout").count("[Prepare] prepared") == 2
    await editor.parent.resume(stopped["threadId"])
    assert await editor.end() == 0


async def test_conditions_and_log_points(editor: Editor) -> None:
    program = editor.project / "pipeline.py"
    editor.breakpoints["pipeline.py"] = [
        {"line": line_of(program, "prepare = "), "logMessage": "title is {Parameters.Title}"},
        {"line": line_of(program, "report = "), "condition": "Parameters.Quality > 100"},
        {"line": line_of(program, "train = "), "condition": "/HyperParameters/epochs == 3"},
        {"line": line_of(program, "check = "), "hitCondition": "2"},
    ]
    await editor.launch(engine="process")
    answers = [m for m in editor.parent.messages if m.get("command") == "setBreakpoints"]
    verified = [b["verified"] for b in answers[0]["body"]["breakpoints"]]
    assert verified == [True, True, True, False]
    stopped = await editor.parent.stopped("breakpoint")
    assert (await top_of(editor.parent, stopped))["name"] == "Train (Training)"
    assert "title is first\n" in editor.parent.output("console")
    await editor.parent.resume(stopped["threadId"])
    assert await editor.end() == 0


async def test_pause_stops_before_the_next_step(editor: Editor) -> None:
    (editor.project / "prepare.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(1.5)\n")
    await editor.launch(engine="process")
    await editor.parent.event("output", lambda body: "[Prepare] up" in body["output"])
    threads = (await editor.parent.request("threads"))["threads"]
    assert [thread["name"] for thread in threads] == ["pipeline"]
    await editor.parent.request("pause", {"threadId": threads[0]["id"]})
    stopped = await editor.parent.stopped("pause")
    assert (await top_of(editor.parent, stopped))["name"] in ("Train (Training)", "Report (Processing)")
    await editor.parent.disconnect()
