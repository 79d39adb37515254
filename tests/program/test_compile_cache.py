from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace
from stepbridge.program.calls import PipelineDeclaration, PipelineStart
from stepbridge.program.compile_cache import CompileCache, CompileKey
from stepbridge.program.observation import Observation
from stepbridge.program.provenance import Member, Provenance, Source, digest
from stepbridge.program.runner import ProgramResult
from stepbridge.program.target import ProgramTarget

from .endpoint import Call

SCRIPT_URI = "s3://b/code/train.py"
LONG_AGO = 1_000_000_000.0


class Compile:
    """A program that read and uploaded some files, and the cache that remembers it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("pipeline.py", "lib.py", "config.json", "train.py", "steps/one.py", "METADATA"):
            path = self.path(name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(name)
        self.path("python").touch()
        self.objects = {SCRIPT_URI}
        self.cache = CompileCache(root / "compiles", lambda uri: uri in self.objects)
        self.environment = {"STAGE": "dev", "OTHER": "1", "AWS_REGION": "eu-west-3"}
        target = ProgramTarget(self.path("pipeline.py"), "script")
        self.key = CompileKey(target, self.path("python"), "eu-west-3", root, {}, ())
        self.calls: list[Call] = [
            Call("sts", "GetCallerIdentity", {}, {}),
            Call("s3", "PutObject", {"Bucket": "b", "Key": "code/train.py"}, {}),
            Call("sagemaker", "CreatePipeline", {"PipelineName": "p"}, {}),
            Call("sagemaker", "StartPipelineExecution", {"PipelineName": "p"}, {}),
            Call("sagemaker", "DescribePipelineExecution", {}, {}),
        ]
        uploaded = Member(str(self.path("train.py")), digest(b"train.py"))
        self.provenance = Provenance(sources={SCRIPT_URI: Source(archive=False, members={"": uploaded})})

    def path(self, name: str) -> Path:
        return self.root / name

    def result(self) -> ProgramResult:
        seen = Observation(
            modules=(str(self.path("lib.py")),),
            read={
                str(self.path("config.json")): ("program",),
                str(self.path("missing.yaml")): ("program",),
                str(self.path("train.py")): ("sdk",),
            },
            listed={str(self.path("steps")): ("program",)},
            environment={"STAGE": "dev", "UNSET": None},
            packages={"sagemaker": str(self.root)},
        )
        start = PipelineStart(pipeline="p", request={"PipelineName": "p"}, arn="arn")
        return ProgramResult(
            exit_code=0,
            began=self.path("python").stat().st_mtime + 3600,
            seconds=5.0,
            declared=(PipelineDeclaration(name="p", definition="{}"),),
            started=(start,),
            observation=seen,
            calls=tuple(self.calls),
        )

    def keep(self, **changes: object) -> str:
        result = replace(self.result(), **changes)  # type: ignore[arg-type]
        return self.cache.keep(self.key, self.environment, result, self.provenance)

    def found(self, environment: Mapping[str, str] | None = None) -> bool:
        return self.cache.find(self.key, environment or self.environment) is not None


@pytest.fixture
def compiled(tmp_path: Path) -> Compile:
    compiled = Compile(tmp_path)
    assert compiled.keep() == ""
    return compiled


def test_an_unchanged_program_is_found_with_all_it_made(compiled: Compile) -> None:
    record = compiled.cache.find(compiled.key, compiled.environment)
    assert record is not None
    assert record.pipelines == (PipelineDeclaration(name="p", definition="{}"),)
    assert record.starts == (PipelineStart(pipeline="p", request={"PipelineName": "p"}),)
    assert record.provenance == compiled.provenance
    assert record.seconds == 5.0


@pytest.mark.parametrize(
    "name", ["pipeline.py", "lib.py", "config.json", "missing.yaml", "METADATA", "python"]
)
def test_a_changed_input_makes_it_run_again(compiled: Compile, name: str) -> None:
    compiled.path(name).write_text("changed")
    assert not compiled.found()


def test_an_edit_of_uploaded_source_does_not(compiled: Compile) -> None:
    compiled.path("train.py").write_text("changed")
    assert compiled.found()


def test_an_edit_of_uploaded_data_does(tmp_path: Path) -> None:
    compiled = Compile(tmp_path)
    data = "s3://b/train.csv"
    compiled.objects = {SCRIPT_URI, data}
    compiled.provenance = Provenance(sources={data: compiled.provenance.sources[SCRIPT_URI]})
    assert compiled.keep() == ""
    compiled.path("train.py").write_text("changed")
    assert not compiled.found()


def test_source_that_the_program_reads_itself_does(tmp_path: Path) -> None:
    compiled = Compile(tmp_path)
    seen = compiled.result().observation
    read = {**seen.read, str(compiled.path("train.py")): ("program", "sdk")}
    compiled.keep(observation=Observation(read=read))
    compiled.path("train.py").write_text("changed")
    assert not compiled.found()


def test_a_new_file_in_a_listed_folder_makes_it_run_again(compiled: Compile) -> None:
    compiled.path("steps/two.py").touch()
    assert not compiled.found()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"STAGE": "prod"}, False),
        ({"UNSET": "1"}, False),
        ({"OTHER": "2"}, True),
        ({"PYTHONPATH": "x"}, False),
    ],
)
def test_only_variables_that_matter_count(compiled: Compile, change: dict[str, str], found: bool) -> None:
    assert compiled.found({**compiled.environment, **change}) is found


def test_a_lost_object_makes_it_run_again(compiled: Compile) -> None:
    compiled.objects.clear()
    assert not compiled.found()


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": {"name": "x"}},
        {"program_arguments": ("--fast",)},
        {"region": "us-east-1"},
        {"cwd": Path("/")},
    ],
)
def test_other_arguments_are_another_compile(compiled: Compile, change: dict[str, object]) -> None:
    key = replace(compiled.key, **change)  # type: ignore[arg-type]
    assert compiled.cache.find(key, compiled.environment) is None


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        ("CreateTrainingJob", "called CreateTrainingJob"),
        ("ListPipelineExecutionSteps", "called ListPipelineExecutionSteps after its start"),
        ("PutObject", "called PutObject after its start"),
    ],
)
def test_a_program_that_does_more_is_not_kept(compiled: Compile, operation: str, reason: str) -> None:
    compiled.calls.append(Call("sagemaker", operation, {"Bucket": "b", "Key": "k"}, {}))
    assert reason in compiled.keep()
    assert not compiled.found()


def test_a_failed_program_is_not_kept(compiled: Compile) -> None:
    assert "exit code 1" in compiled.keep(exit_code=1)
    assert "no pipeline" in compiled.keep(declared=())


def test_a_file_that_changed_while_the_program_ran_is_not_trusted(compiled: Compile) -> None:
    assert "changed while the program ran" in compiled.keep(began=LONG_AGO)
    assert not compiled.found()


def test_a_damaged_record_is_none(compiled: Compile) -> None:
    (record,) = (compiled.root / "compiles").iterdir()
    record.write_bytes(record.read_bytes()[:-20])
    assert not compiled.found()
