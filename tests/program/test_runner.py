"""Programs of boto3 alone, so that a test takes a second; those of the SDK are in test_sdk.py."""

from __future__ import annotations

import asyncio
import json
import os
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from stepbridge.errors import ProgramError
from stepbridge.program.observation import read_observations
from stepbridge.program.runner import Endpoint, client_environment

from .conftest import Runner

DECLARE = """
import boto3
client = boto3.client("sagemaker")
client.create_pipeline(PipelineName="p", PipelineDefinition="{}", RoleArn="arn:aws:iam::123456789012:role/R",
                       ClientRequestToken="x" * 32)
"""
START = "client.start_pipeline_execution(PipelineName='p', ClientRequestToken='x' * 32)\n"

MakeProgram = Callable[[str], str]


async def test_a_program_declares_and_starts_at_the_endpoint(
    runner: Runner, make_program: MakeProgram
) -> None:
    result = await runner.run(make_program(DECLARE + START))

    assert (result.exit_code, result.failure, result.suggestion) == (0, None, "")
    assert [pipeline.name for pipeline in result.declared] == ["p"]
    assert [(start.pipeline, start.arn[-12:]) for start in result.started] == [("p", "abcdefghijkl")]


async def test_every_client_reaches_the_endpoint(runner: Runner, make_program: MakeProgram) -> None:
    program = make_program("""
import boto3, botocore.session
from botocore import UNSIGNED
from botocore.config import Config
boto3.client("sts", endpoint_url="https://sts.us-west-2.amazonaws.com").get_caller_identity()
config = Config(signature_version=UNSIGNED, s3={"use_accelerate_endpoint": True})
boto3.client("s3", config=config).put_object(Bucket="public", Key="a/b", Body=b"text")
boto3.Session(profile_name="work", region_name="us-west-2").client("sts").get_caller_identity()
boto3.client("sts", "us-west-2", None, True, None, "https://x.invalid", "key", "secret").get_caller_identity()
client = botocore.session.get_session().create_client("sts", config=Config(use_fips_endpoint=True))
print(client.get_caller_identity()["Arn"], client.meta.region_name)
print(boto3.resource("s3").Object("public", "a/b").get()["Body"].read())
""")
    environment = {
        "AWS_PROFILE": "work",
        "AWS_SESSION_TOKEN": "token",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "AWS_CONFIG_FILE": "/nowhere",
    }

    result = await runner.run(program, environment=environment)

    assert result.exit_code == 0, runner.output
    assert runner.printed() == [
        "arn:aws:sts::123456789012:assumed-role/SageMakerRole/local eu-west-3",
        "b'text'",
    ]
    assert runner.aws.operations("sts") == ["GetCallerIdentity"] * 4
    assert runner.aws.keys == {"run-key"}


async def test_only_chosen_services_are_redirected(runner: Runner, make_program: MakeProgram) -> None:
    program = make_program("""
import boto3
for service in ("sagemaker", "s3"):
    print(boto3.client(service).meta.endpoint_url)
""")
    environment = {"AWS_ACCESS_KEY_ID": "real", "AWS_SECRET_ACCESS_KEY": "real"}
    address = replace(runner.address, services=("sagemaker",))

    await runner.run(program, endpoint=address, environment=environment)

    assert runner.printed() == [runner.aws.url, "https://s3.eu-west-3.amazonaws.com"]


async def test_output_comes_line_by_line_while_the_program_runs(
    runner: Runner, make_program: MakeProgram
) -> None:
    program = make_program("""
import sys, os, pathlib
print("first")
print("wrong", file=sys.stderr)
while not pathlib.Path("go").exists():
    os.sched_yield()
sys.stdout.write("10%\\r50%\\r100%\\n" + "x" * 100_000 + "\\nno end")
""")
    task = runner.start(program)
    while runner.output != [("stdout", "first"), ("stderr", "wrong")]:
        await asyncio.sleep(0.01)
        assert not task.done()
    runner.write("go", "")
    await task
    assert runner.printed()[1:] == ["100%", "x" * 100_000, "no end"]


async def test_an_error_shows_the_programs_own_frames(runner: Runner, make_program: MakeProgram) -> None:
    program = make_program("""
import boto3
def look():
    boto3.client("sagemaker").describe_pipeline(PipelineName="nothing")
look()
""")
    result = await runner.run(program)

    path = runner.workspace / "program.py"
    assert result.exit_code == 1
    assert str(result.failure).startswith(f"{path}:4: ResourceNotFound: An error occurred")
    shown = runner.printed("stderr")
    frames = [line.strip() for line in shown if line.startswith("  File")]
    assert frames == [
        f'File "{path}", line 5, in <module>',
        f'File "{path}", line 4, in look',
    ]


async def test_the_full_traceback_is_there_for_the_asking(runner: Runner, make_program: MakeProgram) -> None:
    program = make_program("import boto3\nboto3.client('sts').nothing()\n")
    await runner.run(program, environment={"STEPBRIDGE_TRACEBACK": "full"})
    assert any("botocore/client.py" in line for line in runner.printed("stderr"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import not_there.at_all", "program.py imports not_there, which .* does not have.\n.*--python"),
        ("def f(:\n", r"program.py:1: SyntaxError"),
        ("import sys; sys.exit(3)", "program.py ended with exit code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "exit code 137"),
    ],
)
async def test_why_a_program_failed(
    runner: Runner, make_program: MakeProgram, text: str, message: str
) -> None:
    result = await runner.run(make_program(text))
    assert result.failure is not None
    with pytest.raises(ProgramError, match=message):
        raise result.failure


async def test_an_interpreter_that_is_none(runner: Runner, make_program: MakeProgram, tmp_path: Path) -> None:
    runner.python = tmp_path / "python"
    with pytest.raises(ProgramError, match="cannot be started"):
        await runner.run(make_program(""))


async def test_cancelling_interrupts_the_program(runner: Runner, make_program: MakeProgram) -> None:
    task = runner.start(
        make_program("""
import signal, pathlib
print("ready")
try:
    signal.pause()
except KeyboardInterrupt:
    pathlib.Path("interrupted").touch()
    raise
""")
    )
    while not runner.output:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (runner.workspace / "interrupted").exists()


async def test_a_child_that_outlives_the_program_is_not_waited_for(
    runner: Runner, make_program: MakeProgram
) -> None:
    program = make_program("""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-Sc", "import signal; signal.pause()"])
print(child.pid)
""")
    began = time.monotonic()
    try:
        result = await runner.run(program)
        assert result.exit_code == 0
        assert time.monotonic() - began < 30
    finally:
        os.kill(int(runner.printed()[0]), 9)


async def test_arguments_working_directory_and_name_are_the_programs(
    runner: Runner, make_program: MakeProgram
) -> None:
    program = make_program("import sys, os; print(sys.argv[1:], __name__, os.getcwd(), sys.path[0])")
    elsewhere = runner.workspace / "elsewhere"
    elsewhere.mkdir()
    await runner.run(program, program_arguments=["--a", "b c"], cwd=elsewhere)
    assert runner.printed() == [f"['--a', 'b c'] __main__ {elsewhere} {runner.workspace}"]


async def test_another_sitecustomize_runs_as_well(runner: Runner, make_program: MakeProgram) -> None:
    folder = runner.write("site/sitecustomize.py", "import builtins; builtins.theirs = 'ran'").parent
    await runner.run(make_program("print(theirs)"), environment={"PYTHONPATH": str(folder)})
    assert runner.printed() == ["ran"]


async def test_what_the_program_looks_at_is_observed(runner: Runner, make_program: MakeProgram) -> None:
    runner.write("library.py", "import os\nSTAGE = os.getenv('STAGE', 'dev')\n")
    runner.write("config.json", "{}")
    runner.write("steps/a.py", "")
    runner.write("child.py", "import os; open('child.json'); os.environ['LANG2']")
    runner.write("child.json", "{}")
    program = make_program("""
import json, os, subprocess, sys
import library
json.load(open("config.json"))
open("written.txt", "w").write("x")
os.listdir("steps")
"HOME" in os.environ
subprocess.run([sys.executable, "child.py"])
try:
    open("missing.yaml")
except OSError:
    pass
""")
    result = await runner.run(program, environment={"STAGE": "test"})

    seen, root = result.observation, runner.workspace
    assert str(root / "library.py") in seen.modules
    assert seen.read == {
        str(root / "config.json"): ("program",),
        str(root / "missing.yaml"): ("program",),
        str(root / "child.json"): ("program",),
    }
    assert seen.listed == {str(root / "steps"): ("program",)}
    assert seen.environment["STAGE"] == "test"
    assert set(seen.environment) == {"STAGE", "HOME", "LANG2"}


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("def get_pipeline(): ...", "it has get_pipeline(): run program.py:get_pipeline"),
        ("class P:\n  upsert = start = definition = 1\nthing = P()", "`thing`: run program.py:thing"),
        ("x = 1", "never calls `upsert()`"),
    ],
)
async def test_what_to_run_instead(
    runner: Runner, make_program: MakeProgram, text: str, suggestion: str
) -> None:
    result = await runner.run(make_program(text))
    assert suggestion in result.suggestion


FUNCTION = """
import json
class Pipeline:
    def __init__(self, *values): self.values = values
    def definition(self): ...
    def start(self): ...
    def upsert(self, role_arn): print(json.dumps(self.values), role_arn)

def get_pipeline(region, role, account_id, name: str, count: "int"=1, ratio=0.5, flag=False, more: list=()):
    return Pipeline(region, role.rpartition("/")[2], account_id, name, count, ratio, flag, more)

def broken(name): return 3
"""


async def test_a_function_gets_typed_arguments_and_the_obvious_ones(
    runner: Runner, make_program: MakeProgram
) -> None:
    given = {"name": "n", "count": "3", "ratio": "1.5", "flag": "yes", "more": '["a"]'}
    result = await runner.run(make_program(FUNCTION) + ":get_pipeline", arguments=given)
    assert result.exit_code == 0, runner.output
    made, _, role = runner.printed()[0].rpartition(" ")
    assert json.loads(made) == ["eu-west-3", "SageMakerRole", "123456789012", "n", 3, 1.5, True, ["a"]]
    assert role.endswith(":role/SageMakerRole")


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("get_pipeline", {}, "needs a value for name.\n.*-a name="),
        ("get_pipeline", {"name": "n", "cuont": "1"}, "no argument cuont.\n.*count"),
        ("get_pipeline", {"name": "n", "count": "many"}, "count .* is 'many', which is no int"),
        ("get_pipelin", {}, "has no get_pipelin.\n.*get_pipeline"),
        ("broken", {"name": "n"}, "gives a int where a Pipeline was expected"),
    ],
)
async def test_a_function_that_cannot_be_called(
    runner: Runner, make_program: MakeProgram, name: str, given: dict[str, str], message: str
) -> None:
    result = await runner.run(f"{make_program(FUNCTION)}:{name}", arguments=given)
    assert result.failure is not None
    assert result.exit_code == 2
    with pytest.raises(ProgramError, match=message):
        raise result.failure


async def test_a_function_in_a_package_may_import_relatively(runner: Runner) -> None:
    runner.write("pipelines/__init__.py", "")
    runner.write("pipelines/wine/__init__.py", "")
    runner.write("pipelines/wine/parts.py", FUNCTION)
    runner.write("pipelines/wine/pipeline.py", "from .parts import Pipeline\nmade = Pipeline('object')\n")
    result = await runner.run("pipelines/wine/pipeline.py:made")
    assert result.exit_code == 0, runner.output
    assert runner.printed()[0].startswith('["object"]')


async def test_what_was_read_is_known_when_a_pipeline_starts(
    runner: Runner, make_program: MakeProgram, tmp_path: Path
) -> None:
    """The steps run while their program waits for them."""
    runner.write("train.py", "")
    wait = "import os, pathlib\nwhile not pathlib.Path('go').exists():\n  os.sched_yield()\n"
    program = make_program("open('train.py').read()\n" + DECLARE + START + wait)
    records = tmp_path / "records"
    records.mkdir()

    task = runner.start(program, records=records)
    while "StartPipelineExecution" not in runner.aws.operations("sagemaker"):
        await asyncio.sleep(0.01)
        assert not task.done()

    seen = read_observations(records)
    assert seen.read == {str(runner.workspace / "train.py"): ("program",)}
    runner.write("go", "")
    assert (await task).exit_code == 0


async def test_waiters_look_often_and_never_give_up(runner: Runner) -> None:
    """One look in a quarter of an hour and one in all, as the program says, would never see the object."""
    program = """
        import threading
        import boto3
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="b")
        put = lambda: boto3.client("s3").put_object(Bucket="b", Key="k", Body=b"x")
        threading.Timer(1.0, put).start()
        waiter = s3.get_waiter("object_exists")
        waiter.wait(Bucket="b", Key="k", WaiterConfig={"Delay": 900, "MaxAttempts": 1})
        print("there")
    """
    runner.write("program.py", textwrap.dedent(program))

    result = await runner.run("program.py")

    assert result.exit_code == 0, runner.output
    assert runner.printed()[-1] == "there"


def test_nothing_of_a_real_account_stays_in_the_environment() -> None:
    endpoint = Endpoint("http://127.0.0.1:1", "key", "secret", "eu-west-3", "arn:role")
    base = {
        "AWS_PROFILE": "real",
        "AWS_ENDPOINT_URL_S3": "https://elsewhere",
        "AWS_SESSION_TOKEN": "t",
        "A": "b",
    }
    found = client_environment(base, endpoint)
    assert found["A"] == "b"
    assert found["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert not {"AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN"} & found.keys()
