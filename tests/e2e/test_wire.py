"""A whole run by the wire alone: clients that know nothing of StepBridge drive `stepbridge serve`."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.aws_cli import aws, no_aws
from tests.support.dap_client import DapClient
from tests.support.docker_images import PYTHON, missing
from tests.support.runs import STEPBRIDGE, environment, in_containers, in_processes, line_of
from tests.support.served import Served, ended, serving, steps

WIRE = Path(__file__).parent / "wire"
docker = [pytest.mark.docker, pytest.mark.skipif(bool(missing(PYTHON)), reason=missing(PYTHON) or "-")]
ENGINES = [
    pytest.param(in_containers(PYTHON), marks=docker, id="containers"),
    pytest.param(in_processes(), id="processes"),
]
DEFINITION = (WIRE / "definition.json").read_text()
ROLE = "arn:aws:iam::123456789012:role/Role"
TOKEN = "0123456789abcdef0123456789abcdef"


def archive(script: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(script, script.name)
    return packed.getvalue()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(WIRE, tmp_path / "wire")
    return tmp_path / "wire"


def upload(served: Served, *, broken: bool = False) -> None:
    s3 = served.client("s3")
    s3.create_bucket(Bucket="wire")
    code = archive(served.root / "train.py")
    s3.put_object(Bucket="wire", Key="code/sourcedir.tar.gz", Body=code)
    s3.put_object(Bucket="wire", Key="data/rows.csv", Body=b"1,2\n")
    if broken:
        s3.put_object(Bucket="wire", Key="data/broken", Body=b"yes")


@pytest.mark.parametrize("options", ENGINES)
async def test_boto3_drives_a_run_its_retry_and_a_part_of_it(root, options):
    async with serving(root, *options) as served:
        await asyncio.to_thread(drive, served)


def drive(served: Served) -> None:
    sagemaker, s3 = served.client("sagemaker"), served.client("s3")
    upload(served, broken=True)
    sagemaker.create_pipeline(
        PipelineName="wire", PipelineDefinition=DEFINITION, RoleArn=ROLE, ClientRequestToken=TOKEN
    )
    given = [{"Name": "Word", "Value": "ciao"}]
    first = sagemaker.start_pipeline_execution(PipelineName="wire", PipelineParameters=given)
    arn = first["PipelineExecutionArn"]

    failed = ended(sagemaker, arn)
    assert failed["PipelineExecutionStatus"] == "Failed"
    assert "ValueError: broken is there (train.py:" in failed["FailureReason"]
    found = steps(sagemaker, arn)
    assert {name: step["StepStatus"] for name, step in found.items()} == {
        "Prepare": "Succeeded",
        "Train": "Failed",
    }

    s3.delete_object(Bucket="wire", Key="data/broken")
    sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=TOKEN)
    assert ended(sagemaker, arn)["PipelineExecutionStatus"] == "Succeeded"
    again = steps(sagemaker, arn)
    assert again["Prepare"]["EndTime"] == found["Prepare"]["EndTime"]  # it did not run again
    name = again["Train"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    job = sagemaker.describe_training_job(TrainingJobName=name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Completed", "Completed")
    assert job["HyperParameters"]["word"] == "ciao"
    assert [(m["MetricName"], m["Value"]) for m in job["FinalMetricDataList"]] == [("accuracy", 0.75)]
    assert words_of(s3, job["ModelArtifacts"]["S3ModelArtifacts"]) == "ciao"
    with pytest.raises(ClientError, match=r"status Succeeded.*can be retried"):
        sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=TOKEN)

    part = sagemaker.start_pipeline_execution(
        PipelineName="wire",
        PipelineParameters=[{"Name": "Word", "Value": "addio"}],
        SelectiveExecutionConfig={
            "SourcePipelineExecutionArn": arn,
            "SelectedSteps": [{"StepName": "Train"}],
        },
    )["PipelineExecutionArn"]
    assert ended(sagemaker, part)["PipelineExecutionStatus"] == "Succeeded"
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=part)
    assert described["SelectiveExecutionConfig"]["SourcePipelineExecutionArn"] == arn
    chosen = steps(sagemaker, part)
    assert chosen["Train"]["StepStatus"] == "Succeeded"
    assert chosen["Prepare"]["StartTime"] == again["Prepare"]["StartTime"]
    shown = sagemaker.list_pipeline_executions(PipelineName="wire")["PipelineExecutionSummaries"]
    assert [summary["PipelineExecutionArn"] for summary in shown] == [part, arn]
    assert sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=part)[
        "PipelineParameters"
    ] == [{"Name": "Word", "Value": "addio"}]


def words_of(s3: Any, uri: str) -> str:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        member = tar.extractfile("model.txt")
        assert member is not None
        return member.read().decode()


@pytest.mark.docker
@pytest.mark.skipif(bool(missing(PYTHON)), reason=missing(PYTHON) or "-")
async def test_a_breakpoint_in_what_another_client_uploaded(root):
    """Nobody watched the upload: the archive's members are found in the workspace by their content."""
    script = root / "train.py"
    async with serving(root, *in_containers(PYTHON), "--debug", "Train") as served:
        await asyncio.to_thread(upload, served)
        sagemaker = served.client("sagemaker")
        await asyncio.to_thread(
            sagemaker.create_pipeline,
            PipelineName="wire",
            PipelineDefinition=DEFINITION,
            RoleArn=ROLE,
            ClientRequestToken=TOKEN,
        )
        started = await asyncio.to_thread(sagemaker.start_pipeline_execution, PipelineName="wire")
        port = (await served.run.debug_state("Train", "waiting"))["port"]
        async with await DapClient.connect("127.0.0.1", port) as client:
            line = line_of(script, "if marker.exists")
            await client.attach(breakpoints={str(script): [line]})
            stopped = await client.stopped("breakpoint")
            frame = (await client.stack(stopped["threadId"]))[0]
            assert (frame["source"]["path"], frame["line"]) == (str(script), line)
            assert await client.evaluate("word", frame["id"]) == "'hello'"
            await client.resume(stopped["threadId"])
        found = await asyncio.to_thread(ended, sagemaker, started["PipelineExecutionArn"])
        assert found["PipelineExecutionStatus"] == "Succeeded"


@pytest.mark.skipif(bool(no_aws()), reason=no_aws() or "-")
async def test_the_aws_cli_drives_a_run(root):
    async with serving(root, *in_processes()) as served:
        await asyncio.to_thread(drive_by_cli, served)


def drive_by_cli(served: Served) -> None:
    def run(*words: str) -> str:
        return aws(*words, environment=served.environment, cwd=served.root)

    assert json.loads(run("sts", "get-caller-identity"))["Account"] == "123456789012"
    run("s3", "mb", "s3://wire")
    (served.root / "sourcedir.tar.gz").write_bytes(archive(served.root / "train.py"))
    run("s3", "cp", "sourcedir.tar.gz", "s3://wire/code/sourcedir.tar.gz")
    (served.root / "data").mkdir()
    (served.root / "data" / "rows.csv").write_text("1,2\n")
    (served.root / "data" / "large.bin").write_bytes(os.urandom(20 * 2**20))  # in parts
    run("s3", "cp", "--recursive", "data", "s3://wire/data")
    listed = run("s3", "ls", "s3://wire/data/").splitlines()
    assert [line.split()[2:] for line in listed] == [["20971520", "large.bin"], ["4", "rows.csv"]]
    run("s3", "cp", "s3://wire/data/large.bin", "back.bin")
    assert (served.root / "back.bin").read_bytes() == (served.root / "data" / "large.bin").read_bytes()

    created = json.loads(
        run(
            *("sagemaker", "create-pipeline", "--pipeline-name", "wire", "--role-arn", ROLE),
            *("--pipeline-definition", "file://definition.json"),
        )
    )
    assert created["PipelineArn"].endswith(":pipeline/wire")
    started = json.loads(
        run(
            *("sagemaker", "start-pipeline-execution", "--pipeline-name", "wire"),
            *("--pipeline-parameters", "Name=Word,Value=ciao"),
        )
    )
    arn = ("--pipeline-execution-arn", started["PipelineExecutionArn"])
    status = "Executing"
    while status == "Executing":
        status = json.loads(run("sagemaker", "describe-pipeline-execution", *arn))["PipelineExecutionStatus"]
    assert status == "Succeeded"
    query = "PipelineExecutionSteps[?StepName=='Train'].Metadata.TrainingJob.Arn"
    job = run(
        *("sagemaker", "list-pipeline-execution-steps", *arn, "--query", query, "--output", "text")
    ).strip()
    name = job.rpartition("/")[2]
    described = json.loads(run("sagemaker", "describe-training-job", "--training-job-name", name))
    assert described["TrainingJobStatus"] == "Completed"
    run("s3", "cp", described["ModelArtifacts"]["S3ModelArtifacts"], "model.tar.gz")
    with tarfile.open(served.root / "model.tar.gz") as tar:
        assert tar.getnames() == ["model.txt"]
    group = ("--log-group-name", "/aws/sagemaker/TrainingJobs")
    streams = json.loads(run("logs", "describe-log-streams", *group, "--log-stream-name-prefix", f"{name}/"))[
        "logStreams"
    ]
    assert [stream["logStreamName"] for stream in streams] == [f"{name}/algo-1"]
    events = json.loads(
        run("logs", "get-log-events", *group, "--log-stream-name", f"{name}/algo-1", "--start-from-head")
    )["events"]
    assert [event["message"] for event in events] == ["training says ciao", "accuracy=0.75;"]
    pattern = ("--log-stream-name-prefix", name, "--filter-pattern", "accuracy")
    filtered = json.loads(run("logs", "filter-log-events", *group, *pattern))["events"]
    assert [event["message"] for event in filtered] == ["accuracy=0.75;"]


def test_a_command_is_served_for_as_long_as_it_runs(root):
    program = (
        "import boto3, sys\n"
        "print(boto3.client('sts').get_caller_identity()['Account'])\n"
        "print(boto3.client('s3').list_buckets()['Buckets'])\n"
        "sys.exit(3)\n"
    )
    served = subprocess.run(
        [*STEPBRIDGE, "serve", *in_processes(), "--", sys.executable, "-c", program],
        cwd=root,
        env={**environment(), "AWS_PROFILE": "real", "AWS_SESSION_TOKEN": "real"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (served.returncode, served.stdout, served.stderr) == (3, "123456789012\n[]\n", "")


def refused(root: Path, *arguments: str) -> str:
    served = subprocess.run(
        [*STEPBRIDGE, "serve", *in_processes(), *arguments],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert served.returncode == 1
    assert "Traceback" not in served.stderr
    return served.stderr


def test_what_cannot_be_served_says_why(root):
    assert "no-such-program cannot be started: No such file" in refused(root, "--", "no-such-program")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen on port {port}: Address already in use" in refused(root, "--port", str(port))
