"""The real SageMaker Python SDK v2 and the real AWS CLI against the endpoint."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from stepbridge.service import Endpoint
from stepbridge.storage import ObjectStore

from .conftest import ACCESS_KEY, ACCOUNT, REGION, ROLE, SECRET_KEY, FakeExecutions

PROGRAM = textwrap.dedent(
    """
    import json, sys
    import boto3, botocore.session

    url = sys.argv[1]
    create = botocore.session.Session.create_client

    def to_endpoint(self, *args, **options):  # what the program runner does in a user's process
        options["endpoint_url"] = url
        return create(self, *args, **options)

    botocore.session.Session.create_client = to_endpoint

    import sagemaker
    from sagemaker.sklearn.processing import SKLearnProcessor
    from sagemaker.workflow.pipeline import Pipeline
    from sagemaker.workflow.pipeline_context import PipelineSession
    from sagemaker.workflow.steps import ProcessingStep

    session = PipelineSession()
    role = sagemaker.get_execution_role()
    uploaded = session.upload_data("data.csv", key_prefix="input")
    processor = SKLearnProcessor(
        framework_version="1.2-1", role=role, instance_type="ml.m5.large", instance_count=1,
        sagemaker_session=session,
    )
    step = ProcessingStep(name="Preprocess", step_args=processor.run(code="preprocess.py"))
    pipeline = Pipeline(name="FromSdk", steps=[step], sagemaker_session=session)
    created = pipeline.upsert(role_arn=role)
    execution = pipeline.start()
    print(json.dumps({
        "role": role,
        "bucket": session.default_bucket(),
        "uploaded": uploaded,
        "arn": created["PipelineArn"],
        "execution": execution.arn,
        "status": execution.describe()["PipelineExecutionStatus"],
        "steps": execution.list_steps(),
    }))
    """
)


def _environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **kept,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        **more,
    }


@pytest.mark.slow
def test_a_program_of_the_sdk(
    endpoint: Endpoint, store: ObjectStore, executions: FakeExecutions, tmp_path: Path
) -> None:
    """`default_bucket()`, `upload_data`, `get_execution_role()`, upsert, start: nothing needs moto."""
    pytest.importorskip("sagemaker", reason="the SageMaker Python SDK v2 is not installed")
    # it exists: the SDK's create must fail so that it goes on to update
    executions.create_pipeline("FromSdk", "{}", role_arn=ROLE, tags=())
    (tmp_path / "data.csv").write_text("1,2\n")
    (tmp_path / "preprocess.py").write_text("print('hello')\n")
    options = tmp_path / "sdk.yaml"
    options.write_text(
        "SchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, endpoint.url],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=_environment(SAGEMAKER_USER_CONFIG_OVERRIDE=str(options)),
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    bucket = f"sagemaker-{REGION}-{ACCOUNT}"
    assert seen["bucket"] == bucket
    assert seen["role"] == ROLE
    assert store.path(seen["uploaded"]).read_text() == "1,2\n"
    assert seen["arn"] == executions.by_name["FromSdk"].arn
    assert (seen["status"], seen["steps"]) == ("Executing", [])
    step = json.loads(executions.by_name["FromSdk"].definition_text)["Steps"][0]
    code = step["Arguments"]["ProcessingInputs"][0]["S3Input"]["S3Uri"]
    assert store.path(code).read_text() == "print('hello')\n"
    assert not endpoint._fallback.loaded


def _aws() -> list[str] | None:
    found = shutil.which("aws")
    return [found] if found else None


@pytest.mark.slow
@pytest.mark.skipif(_aws() is None, reason="the AWS CLI is not installed")
def test_the_aws_cli(endpoint: Endpoint, store: ObjectStore, tmp_path: Path) -> None:
    def aws(*arguments: str) -> str:
        command = [*(_aws() or []), "--endpoint-url", endpoint.url, "--output", "text", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=_environment(), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "a.txt").write_text("a")
    (tmp_path / "tree" / "sub" / "b.txt").write_bytes(b"b" * (9 << 20))
    aws("s3", "mb", "s3://cli-bucket")
    aws("s3", "sync", "tree", "s3://cli-bucket/tree")
    assert {o.key for o in store.objects("cli-bucket")} == {"tree/a.txt", "tree/sub/b.txt"}
    assert "PRE tree/" in aws("s3", "ls", "s3://cli-bucket/")
    aws("s3", "cp", "s3://cli-bucket/tree/sub/b.txt", "back.txt")
    assert (tmp_path / "back.txt").stat().st_size == 9 << 20
    aws("s3", "mv", "s3://cli-bucket/tree/a.txt", "s3://cli-bucket/moved.txt")
    aws("s3", "rm", "--recursive", "s3://cli-bucket/tree")
    assert {o.key for o in store.objects("cli-bucket")} == {"moved.txt"}
    aws(
        "sagemaker",
        "create-pipeline",
        "--pipeline-name",
        "p",
        "--pipeline-definition",
        "{}",
        "--role-arn",
        ROLE,
    )
    assert aws("sagemaker", "list-pipelines", "--query", "PipelineSummaries[].PipelineName").strip() == "p"
