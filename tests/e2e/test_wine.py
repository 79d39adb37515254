"""The main job, as a user does it: an unmodified SDK program runs, and the debugger stops inside a step."""

from __future__ import annotations

import json
import signal
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.dap_client import DapClient
from tests.support.docker_images import SKLEARN, TOOLKIT, missing
from tests.support.runs import Project, copy_example, in_containers, in_processes, line_of

docker = [pytest.mark.docker, pytest.mark.skipif(bool(missing(SKLEARN)), reason=missing(SKLEARN) or "-")]
SUCCEEDED = {
    "Preprocess": "Succeeded",
    "Train": "Succeeded",
    "Evaluate": "Succeeded",
    "GoodEnough": "Succeeded",
    "Wine-CreateModel": "Succeeded",
    "TooWeak": "Skipped",
}


@pytest.fixture
def wine(tmp_path: Path) -> Project:
    return copy_example("wine", tmp_path, *in_containers())


def containers_of(run: str) -> list[str]:
    asked = subprocess.run(
        ["docker", "ps", "-aq", "--filter", f"label=stepbridge.run={run}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return asked.stdout.split()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(in_containers(), marks=docker, id="containers"),
        pytest.param(in_containers(TOOLKIT), marks=docker, id="toolkit"),
        pytest.param(in_processes(), id="processes"),
    ],
)
async def test_the_program_runs_unmodified(tmp_path, options):
    project = copy_example("wine", tmp_path, *options)
    run, code = await project.run_to_end("-p", "Trees=10")
    assert (code, run.statuses()) == (0, SUCCEEDED), run.errors[-3000:]
    model = project.stored(run.finished("Train")["outputs"]["model"])
    with tarfile.open(model) as tar:
        assert {"model.joblib", "code/model.py"} <= {name.removeprefix("./") for name in tar.getnames()}
    report = project.stored(run.finished("Evaluate")["outputs"]["evaluation"]) / "evaluation.json"
    assert json.loads(report.read_text())["metrics"]["accuracy"]["value"] > 0.8
    owner = project.root.stat().st_uid
    assert {path.stat().st_uid for path in (project.root / ".stepbridge").rglob("*")} == {owner}


@pytest.mark.docker
@pytest.mark.skipif(bool(missing(SKLEARN)), reason=missing(SKLEARN) or "-")
class TestInContainers:
    async def test_a_weak_model_takes_the_other_branch(self, wine):
        run, code = await wine.run_to_end("-p", "Trees=1", "-p", "MinimumAccuracy=0.9999")
        assert code == 1
        assert run.statuses()["TooWeak"] == "Failed"
        assert run.statuses()["Wine-CreateModel"] == "Skipped"
        end = run.events[-1]
        assert "The accuracy is below the minimum of 0.9999" in end["failure"]

    async def test_an_unchanged_program_is_not_compiled_again(self, wine):
        await wine.run_to_end("-p", "Trees=1")
        (wine.root / "training" / "train.py").write_text("raise SystemExit('edited')\n")
        run, code = await wine.run_to_end()
        assert code == 1
        assert "sagemaker" not in run.errors  # the SDK says much when it compiles
        assert "edited" in run.log("Train")

    async def test_breakpoints_in_three_steps(self, wine):
        places = {
            "Preprocess": (wine.root / "preprocess.py", "def main"),
            "Train": (wine.root / "training" / "train.py", "model = build_model("),
            "Evaluate": (wine.root / "evaluate.py", "def main"),
        }
        async with wine.run(*(word for step in places for word in ("--debug", step)), "-p", "Trees=7") as run:
            for step, (path, text) in places.items():
                waiting = await run.debug_state(step, "waiting")
                line = line_of(path, text) + (1 if text.startswith("def") else 0)
                async with await DapClient.connect("127.0.0.1", waiting["port"]) as client:
                    await client.attach(breakpoints={str(path): [line]})
                    stopped = await client.stopped("breakpoint")
                    frames = await client.stack(stopped["threadId"])
                    assert (frames[0]["source"]["path"], frames[0]["line"]) == (str(path), line)
                    if step == "Train":
                        values = await client.local_variables(frames[0]["id"])
                        assert "trees=7" in values["arguments"]
                    await client.resume(stopped["threadId"])
            assert await run.end() == 0
        assert run.statuses() == SUCCEEDED
        assert containers_of(run.id) == []

    async def test_a_breakpoint_in_a_second_module(self, wine):
        path = wine.root / "training" / "model.py"
        line = line_of(path, "def build_model") + 1
        async with wine.run("--debug", "Train") as run:
            waiting = await run.debug_state("Train", "waiting")
            async with await DapClient.connect("127.0.0.1", waiting["port"]) as client:
                await client.attach(breakpoints={str(path): [line]})
                stopped = await client.stopped("breakpoint")
                frames = await client.stack(stopped["threadId"])
                found = [(Path(frame["source"]["path"]).name, frame["name"]) for frame in frames[:2]]
                assert found == [("model.py", "build_model"), ("train.py", "main")]
                await client.resume(stopped["threadId"])
            assert await run.end() == 0

    async def test_a_crash_waits_at_the_raising_line(self, wine):
        path = wine.root / "training" / "train.py"
        path.write_text(path.read_text().replace("    save(model,", "    x = {}['gone']\n    save(model,"))
        async with wine.run("--post-mortem", "-p", "Trees=1") as run:
            crashed = await run.debug_state("Train", "crashed")
            assert (crashed["file"], crashed["line"]) == (str(path), line_of(path, "['gone']"))
            async with await DapClient.connect("127.0.0.1", crashed["port"]) as client:
                await client.attach()
                stopped = await client.stopped("exception")
                frames = await client.stack(stopped["threadId"])
                assert frames[0]["line"] == crashed["line"]
                assert "features" in await client.local_variables(frames[0]["id"])
                await client.resume(stopped["threadId"])
            assert await run.end() == 1
        assert "KeyError: 'gone' (train.py:" in run.finished("Train")["failure"]

    async def test_an_edit_reruns_from_one_step_on_earlier_results(self, wine):
        await wine.run_to_end("-p", "MinimumAccuracy=0.1")
        script = wine.root / "evaluate.py"
        script.write_text("print('edited')\n" + script.read_text())
        run, code = await wine.run_to_end("--from", "Evaluate", "-p", "MinimumAccuracy=0.1")
        assert code == 0
        started = {e["step"] for e in run.events if e["event"] == "step-started"}
        assert started == {"Evaluate", "GoodEnough", "Wine-CreateModel"}
        assert "edited" in run.log("Evaluate")
        again, code = await wine.run_to_end("--cache", "-p", "MinimumAccuracy=0.1")
        assert code == 0
        assert [again.finished(step)["cached"] for step in ("Preprocess", "Train", "Evaluate")] == [True] * 3

    async def test_ctrl_c_leaves_no_container(self, wine):
        (wine.root / "preprocess.py").write_text("import time\nprint('here', flush=True)\ntime.sleep(600)\n")
        async with wine.run() as run:
            await run.until(lambda e: e["event"] == "step-log")
            assert len(containers_of(run.id)) == 1
            run.process.send_signal(signal.SIGINT)
            assert await run.end() == 1
        assert run.events[-1]["status"] == "Stopped"
        assert containers_of(run.id) == []
        assert str(wine.root / ".stepbridge") in run.errors

    async def test_a_killed_bridge_is_tidied_up_by_the_next(self, wine):
        (wine.root / "preprocess.py").write_text("import time\nprint('here', flush=True)\ntime.sleep(600)\n")
        async with wine.run() as run:
            await run.until(lambda e: e["event"] == "step-log")
            run.process.kill()
            await run.process.wait()
        code, listed, _ = await wine.command("runs", "--json")
        assert (code, json.loads(listed)[0]["status"]) == (0, "Stopped")
        (wine.root / "preprocess.py").write_text("raise SystemExit(1)\n")
        await wine.run_to_end()
        assert containers_of(run.id) == []

    async def test_a_killed_run_is_resumed_where_it_was(self, wine):
        train = wine.root / "training" / "train.py"
        good = train.read_text()
        train.write_text("import time\nprint('here', flush=True)\ntime.sleep(600)\n")
        async with wine.run() as run:
            await run.until(lambda e: e["event"] == "step-log" and e["step"] == "Train")
            run.process.kill()
            await run.process.wait()
        train.write_text(good)
        code, out, _ = await wine.command("resume", "--json")  # engine and images as before
        events = [json.loads(line) for line in out.splitlines()]
        assert (code, events[-1]["event"], events[-1]["status"]) == (0, "run-finished", "Succeeded")
        assert {e["run"] for e in events} == {run.id}
        started = [e["step"] for e in events if e["event"] == "step-started"]
        assert started == ["Train", "Evaluate", "GoodEnough", "Wine-CreateModel"]
        assert containers_of(run.id) == []
        code, _, err = await wine.command("resume", run.id)
        assert code == 1
        assert "is Succeeded" in err
        assert "--from STEP" in err

    async def test_attach_and_stop_from_another_command(self, wine):
        (wine.root / "preprocess.py").write_text(
            "import time\nprint('here', flush=True)\nwhile True:\n    beat = 1\n    time.sleep(0.05)\n"
        )
        async with wine.run("--arm") as run:
            await run.until(lambda e: e["event"] == "step-log")
            code, answer, _ = await wine.command("attach", "Preprocess", "--json")
            assert code == 0
            path = str(wine.root / "preprocess.py")
            async with await DapClient.connect("127.0.0.1", json.loads(answer)["port"]) as client:
                await client.attach(breakpoints={path: [4]})
                stopped = await client.stopped("breakpoint")
                assert (await client.stack(stopped["threadId"]))[0]["line"] == 4
                await client.disconnect()
            code, _, _ = await wine.command("stop")
            assert code == 0
            assert await run.end() == 1
        assert run.events[-1]["status"] == "Stopped"

    async def test_a_script_may_use_s3_itself(self, wine):
        (wine.root / "preprocess.py").write_text(
            "import boto3\n"
            "s3 = boto3.client('s3')\n"
            "bucket = s3.list_buckets()['Buckets'][0]['Name']\n"
            "s3.put_object(Bucket=bucket, Key='note', Body=b'from the container')\n"
            "print(s3.get_object(Bucket=bucket, Key='note')['Body'].read().decode())\n"
            "raise SystemExit(3)\n"
        )
        run, code = await wine.run_to_end()
        assert (code, run.log("Preprocess")) == (1, ["from the container"])
        assert "exit code 3" in run.finished("Preprocess")["failure"]


class TestWrongInput:
    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("-p", "Treees=3"), 'no parameter "Treees".\n  Did you mean "Trees"?'),
            (("-p", "Trees=three"), 'The value "three" of parameter "Trees" is no Integer'),
            (("-p", "InstanceType=ml.x"), "InstanceType"),
            (("--debug", "Trian"), 'no step Trian.\n  Did you mean "Train"?'),
            (("--from", "Train"), "has not run here yet"),
        ],
    )
    async def test_one_clear_error_before_anything_starts(self, tmp_path, arguments, says):
        project = copy_example("wine", tmp_path, *in_processes())
        run, code = await project.run_to_end(*arguments)
        assert code == 1
        assert says in run.errors
        assert "Traceback" not in run.errors
        assert run.events == []

    async def test_usage_errors_have_exit_code_2(self, tmp_path):
        project = copy_example("wine", tmp_path)
        run, code = await project.run_to_end("-p", "Trees")
        assert code == 2
        assert "-p Name=value" in run.errors

    async def test_a_missing_program_is_named(self, tmp_path):
        project = copy_example("wine", tmp_path)
        run, code = await project.run_to_end(program="pipelin.py")
        assert code == 1
        assert "pipelin.py" in run.errors
        assert "Traceback" not in run.errors
