"""A notebook in a real Jupyter kernel: `%load_ext stepbridge` and `stepbridge.local()`."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager

from tests.support.dap_client import DapClient
from tests.support.docker_images import PYTHON, missing
from tests.support.runs import environment

SCRIPT = """%%writefile step.py
import sys
words = sys.argv[1:]
print("words", words)
"""

PIPELINE = """
import sagemaker
from sagemaker.processing import ScriptProcessor
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.steps import ProcessingStep

session = PipelineSession()
role = sagemaker.get_execution_role()
image = "123456789012.dkr.ecr.eu-west-3.amazonaws.com/own:1"
processor = ScriptProcessor(image_uri=image, command=["python3"], role=role, instance_count=1,
                            instance_type="ml.m5.large", sagemaker_session=session)
step = ProcessingStep(name="Say", step_args=processor.run(code="step.py", arguments=["hello"]))
pipeline = Pipeline(name="cells", steps=[step], sagemaker_session=session)
pipeline.upsert(role)
"""
START = "execution = pipeline.start(); execution.wait(); print(execution.list_steps()[0]['StepStatus'])"
ENGINES = [
    pytest.param(
        "docker",
        marks=[pytest.mark.docker, pytest.mark.skipif(bool(missing(PYTHON)), reason=missing(PYTHON) or "-")],
    ),
    "process",
]


class Notebook:
    """Cells, run one after the other in one kernel."""

    def __init__(self, client: AsyncKernelClient, folder: Path) -> None:
        self.folder = folder
        self._client = client

    async def run(self, source: str) -> str:
        """What the cell printed; fails where it raised."""
        printed = []

        def take(message: dict) -> None:
            kind, content = message["header"]["msg_type"], message["content"]
            if kind == "stream":
                printed.append(content["text"])
            elif kind == "error":
                printed.append("\n".join(content["traceback"]))

        reply = await self._client.execute_interactive(source, output_hook=take, timeout=120)
        assert reply["content"]["status"] == "ok", "".join(printed)
        return "".join(printed)


@pytest.fixture(params=ENGINES)
async def notebook(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Notebook]:
    (tmp_path / "stepbridge.toml").write_text(f'engine = "{request.param}"\n[images]\n"*" = "{PYTHON}"\n')
    manager = AsyncKernelManager(kernel_name="python3")
    await manager.start_kernel(cwd=str(tmp_path), env=environment())
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    try:
        yield Notebook(client, tmp_path)
    finally:
        client.stop_channels()
        await manager.shutdown_kernel()


async def test_the_extension(notebook: Notebook) -> None:
    before = await notebook.run("import os; print(sorted(os.environ.items()))")
    assert f"state in {notebook.folder}/.stepbridge" in await notebook.run("%load_ext stepbridge")
    await notebook.run(SCRIPT)
    await notebook.run(PIPELINE)

    said = await notebook.run(START)  # what the steps say appears below the cell that started them

    assert "Say | words ['hello']" in said
    assert said.splitlines()[-1] == "Succeeded"
    account = (
        "!" + sys.executable + " -c \"import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])\""
    )
    assert "assumed-role/StepBridgeExecutionRole" in await notebook.run(account)
    await notebook.run("%unload_ext stepbridge")
    assert await notebook.run("print(sorted(os.environ.items()))") == before
    await notebook.run("%load_ext stepbridge")  # and again
    assert "Succeeded" in await notebook.run(PIPELINE + START)


async def test_a_breakpoint_in_a_script_of_the_notebook(notebook: Notebook) -> None:
    await notebook.run("%load_ext stepbridge\n%stepbridge --debug Say")
    await notebook.run(SCRIPT)
    await notebook.run(PIPELINE)
    cell = asyncio.create_task(notebook.run(START))
    folder = notebook.folder
    port = int(await _attach_port(folder, cell))

    async with await DapClient.connect("127.0.0.1", port) as client:
        await client.attach(breakpoints={str(folder / "step.py"): [3]})
        stopped = await client.stopped("breakpoint")
        frames = await client.stack(stopped["threadId"])
        assert (frames[0]["source"]["path"], frames[0]["line"]) == (str(folder / "step.py"), 3)
        assert (await client.local_variables(frames[0]["id"]))["words"] == "['hello']"
        await client.resume(stopped["threadId"])
        assert (await cell).splitlines()[-1] == "Succeeded"

    await notebook.run("%stepbridge")
    assert "waits for a debugger" not in await notebook.run(START)
    assert "Did you mean '--debug'?" in await notebook.run("%stepbridge --debugg Say")
    assert "This step waits for a debugger" in await notebook.run("%stepbridge --help")


async def _attach_port(folder: Path, cell: asyncio.Task[str]) -> str:
    """The port in the entry of `.vscode/launch.json` that the waiting step has."""
    file = folder / ".vscode" / "launch.json"
    while not file.exists():
        assert not cell.done(), cell.result()
        await asyncio.sleep(0.1)
    found = re.search(r'"port": (\d+)', file.read_text())
    assert found
    return found[1]


PROGRAM = """
import os, sys
import boto3
import stepbridge
from stepbridge.errors import StepBridgeError

early = boto3.client("s3", region_name="us-east-1")
before = dict(os.environ)
for turn in range(2):
    with stepbridge.local(quiet=turn == 1) as service:
        assert boto3.client("sts").meta.endpoint_url == service.url
        assert "amazonaws.com" in early.meta.endpoint_url
        boto3.client("s3").create_bucket(Bucket="kept")
        try:
            stepbridge.local().open()
        except StepBridgeError as error:
            print(error.message)
        folder = os.path.dirname(os.path.abspath(sys.argv[0]))
        assert os.path.isdir(os.path.join(folder, ".stepbridge", "s3", "kept"))
assert dict(os.environ) == before
assert "amazonaws.com" in boto3.client("sts", region_name="us-east-1").meta.endpoint_url
for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
    del os.environ[name]
nothing = dict.fromkeys(["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"], os.devnull)
os.environ.update(nothing, AWS_EC2_METADATA_DISABLED="true")
try:
    stepbridge.local(aws=True).open()
except StepBridgeError as error:
    print(error.message)
try:
    service.url
except StepBridgeError as error:
    print(error.message)
"""


def test_a_block(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env=environment(AWS_ACCESS_KEY_ID="real", AWS_SECRET_ACCESS_KEY="real"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "A local service is open in this process already",
        "A local service is open in this process already",
        "--aws: there are no AWS credentials",
        "The local service is not open",
    ]
    assert (
        done.stderr.splitlines()
        == ["stepbridge: AWS clients made before (s3) still talk to AWS; make sessions afterwards."] * 2
    )
    assert not list((tmp_path / ".stepbridge" / "bridges").iterdir())
