"""Other shapes of programs: AWS's own example, get_pipeline functions, definitions, programs that fail."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest

from tests.support.docker_images import PYTHON, missing
from tests.support.runs import Project, copy_example, in_containers, in_processes

docker = [pytest.mark.docker, pytest.mark.skipif(bool(missing(PYTHON)), reason=missing(PYTHON) or "-")]
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/tool:1"
DEFINITION = {
    "Version": "2020-12-01",
    "Parameters": [{"Name": "Word", "Type": "String", "DefaultValue": "hello"}],
    "Steps": [
        {
            "Name": "Say",
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
                    "ImageUri": IMAGE,
                    "ContainerEntrypoint": ["python3", "-c", "import sys; print(sys.argv[1])"],
                    "ContainerArguments": [{"Get": "Parameters.Word"}],
                },
            },
        }
    ],
}
FUNCTION = """
from sagemaker.workflow.parameters import ParameterString
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession

def get_pipeline(region, stage="dev", pipeline_name="Made"):
    return Pipeline(
        name=f"{pipeline_name}-{stage}",
        steps=[FailStep(name="Stop", error_message=f"made in {region}")],
        sagemaker_session=PipelineSession(),
    )
"""
BOTO3 = f"""
import json, boto3
client = boto3.client("sagemaker")
client.create_pipeline(
    PipelineName="plain", RoleArn="arn:aws:iam::123456789012:role/Role", ClientRequestToken="x" * 32,
    PipelineDefinition={json.dumps(json.dumps(DEFINITION))},
)
started = client.start_pipeline_execution(PipelineName="plain", ClientRequestToken="y" * 32)
arn = started["PipelineExecutionArn"]
while client.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"] == "Executing":
    pass
steps = client.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
name = steps[0]["Metadata"]["ProcessingJob"]["Arn"].split("/")[-1]
job = client.describe_processing_job(ProcessingJobName=name)
print(job["ProcessingJobStatus"], [p["PipelineName"] for p in client.list_pipelines()["PipelineSummaries"]])
"""
JOB = f"""
import time, boto3
client = boto3.client("sagemaker")
request = {DEFINITION["Steps"][0]["Arguments"]!r}
request["AppSpecification"] = {{
    "ImageUri": {IMAGE!r},
    "ContainerEntrypoint": ["python3", "-uc", "import time; print('here'); time.sleep(600)"],
}}
client.create_processing_job(ProcessingJobName="alone", **request)
time.sleep(600)
"""


def project(folder: Path, **files: str) -> Project:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return Project(folder, in_processes())


@pytest.mark.parametrize("program", ["pipeline_session.py", "local_pipeline_session.py"])
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(in_containers(PYTHON), marks=docker, id="containers"),
        pytest.param(in_processes(), id="processes"),
    ],
)
async def test_the_documentation_s_program(tmp_path, program, options):
    seed = copy_example("seed", tmp_path, *options)
    run, code = await seed.run_to_end(program=program)
    assert (code, run.statuses()) == (0, {"MyTrainingStep": "Succeeded"}), run.errors[-2000:]
    assert run.log("MyTrainingStep") == ["mean of 3 numbers: 2.0"]


async def test_a_definition_runs_without_a_program(tmp_path):
    here = project(tmp_path, hello_json=json.dumps(DEFINITION))
    run, code = await here.run_to_end("-p", "Word=ciao", program="hello.json")
    assert (code, run.log("Say")) == (0, ["ciao"]), run.errors


async def test_a_definition_with_errors_is_refused(tmp_path):
    broken = json.loads(json.dumps(DEFINITION))
    broken["Steps"][0]["Arguments"]["AppSpecification"]["ContainerArguments"] = [{"Get": "Parameters.Wrod"}]
    run, code = await project(tmp_path, hello_json=json.dumps(broken)).run_to_end(program="hello.json")
    assert code == 1
    assert "Wrod" in run.errors
    assert "Traceback" not in run.errors
    assert run.events == []


async def test_a_function_that_makes_a_pipeline(tmp_path):
    here = project(tmp_path, pipe_py=FUNCTION)
    run, code = await here.run_to_end("-a", "stage=test", program="pipe.py:get_pipeline")
    assert code == 1
    assert run.events[0]["pipeline"] == "Made-test"
    assert "made in us-east-1" in run.events[-1]["failure"]


async def test_plain_boto3(tmp_path):
    run, code = await project(tmp_path, plain_py=BOTO3).run_to_end(program="plain.py")
    assert (code, run.log("Say")) == (0, ["hello"]), run.errors
    assert "Completed ['plain']" in run.errors


async def test_ctrl_c_stops_a_job_outside_of_pipelines(tmp_path):
    here = project(tmp_path, job_py=JOB)
    async with here.run(program="job.py") as run:
        await run.until(lambda e: e["event"] == "step-log" and e["line"] == "here")
        run.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            assert await run.end() != 0
    assert "Traceback" not in run.errors


async def test_a_program_that_fails_shows_its_own_traceback(tmp_path):
    run, code = await project(tmp_path, bad_py="def f():\n    return 1 / 0\n\nf()\n").run_to_end(
        program="bad.py"
    )
    assert code == 1
    assert "ZeroDivisionError" in run.errors
    assert 'bad.py", line 2, in f' in run.errors
    assert "bridge/stepbridge" not in run.errors


async def test_a_program_without_a_pipeline_is_told_so(tmp_path):
    run, code = await project(tmp_path, none_py="print('nothing')\n").run_to_end(program="none.py")
    assert code == 1
    assert "none.py declared no pipeline" in run.errors
