"""`--aws`: inputs come from S3, and outputs go there. Another `stepbridge serve` stands in for AWS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.docker_images import PYTHON, missing
from tests.support.runs import Project, in_containers, in_processes
from tests.support.served import serving

SCRIPT = """
import pathlib
place = pathlib.Path("/opt/ml/processing")
words = " ".join(path.read_text() for path in sorted((place / "in").rglob("*.txt")))
(place / "out" / "words.txt").write_text(words.upper())
"""
DEFINITION = {
    "Version": "2020-12-01",
    "Steps": [
        {
            "Name": "Shout",
            "Type": "Processing",
            "Arguments": {
                "RoleArn": "arn:aws:iam::123456789012:role/Role",
                "ProcessingResources": {
                    "ClusterConfig": {
                        "InstanceType": "ml.m5.large",
                        "InstanceCount": 1,
                        "VolumeSizeInGB": 30,
                    }
                },
                "AppSpecification": {
                    "ImageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/tool:1",
                    "ContainerEntrypoint": ["python3", "-c", SCRIPT],
                },
                "ProcessingInputs": [
                    {
                        "InputName": "in",
                        "AppManaged": False,
                        "S3Input": {
                            "S3Uri": "s3://cloud/words",
                            "LocalPath": "/opt/ml/processing/in",
                            "S3DataType": "S3Prefix",
                            "S3InputMode": "File",
                        },
                    }
                ],
                "ProcessingOutputConfig": {
                    "Outputs": [
                        {
                            "OutputName": "out",
                            "AppManaged": False,
                            "S3Output": {
                                "S3Uri": "s3://cloud/shouted",
                                "LocalPath": "/opt/ml/processing/out",
                                "S3UploadMode": "EndOfJob",
                            },
                        }
                    ]
                },
            },
        }
    ],
}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(
            in_containers(PYTHON),
            marks=[
                pytest.mark.docker,
                pytest.mark.skipif(bool(missing(PYTHON)), reason=missing(PYTHON) or "-"),
            ],
            id="containers",
        ),
        pytest.param(in_processes(), id="processes"),
    ],
)
async def test_inputs_come_from_s3_and_outputs_go_there(tmp_path: Path, options: tuple[str, ...]) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (here / "definition.json").write_text(json.dumps(DEFINITION))
    async with serving(there) as cloud:
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket="cloud")
        s3.put_object(Bucket="cloud", Key="words/a.txt", Body=b"hello")
        s3.put_object(Bucket="cloud", Key="words/deep/b.txt", Body=b"there")
        keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        variables = {name: cloud.environment[name] for name in keys}
        project = Project(
            here, options, {**variables, "AWS_ENDPOINT_URL_S3": cloud.environment["AWS_ENDPOINT_URL"]}
        )

        run, code = await project.run_to_end(program="definition.json")
        assert code == 1
        assert "stepbridge data put PATH s3://cloud/words" in run.finished("Shout")["failure"]

        (here / "stepbridge.toml").write_text("aws-limit-gb = 9e-9")
        run, code = await project.run_to_end("--aws", program="definition.json")
        assert code == 1
        assert (
            "s3://cloud/words/ has 2 objects (10 B) to fetch; the limit is 9 B"
            in run.finished("Shout")["failure"]
        )
        (here / "stepbridge.toml").unlink()

        run, code = await project.run_to_end("--aws", program="definition.json")
        assert code == 0, run.errors[-2000:]
        notices = [event["message"] for event in run.events if event["event"] == "notice"]
        assert notices == ["fetching 2 objects (10 B) from S3: s3://cloud/words"]
        shouted = s3.get_object(Bucket="cloud", Key="shouted/words.txt")["Body"].read()
        assert shouted == b"HELLO THERE"

        run, code = await project.run_to_end("--aws", program="definition.json")
        assert code == 0
        assert not [event for event in run.events if event["event"] == "notice"], "nothing changed there"


async def test_without_credentials_it_is_said_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "definition.json").write_text(json.dumps(DEFINITION))
    nothing = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    project = Project(tmp_path, in_processes(), {**nothing, "AWS_EC2_METADATA_DISABLED": "true"})
    code, _, err = await project.command("run", "definition.json", "--aws")
    assert code == 1
    assert "error: --aws: there are no AWS credentials" in err
    assert "Traceback" not in err
