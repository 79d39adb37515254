from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import botocore
import pytest
from stepbridge.definition import service
from stepbridge.definition.kinds import KINDS, request_shape
from stepbridge.definition.properties import walk_property
from stepbridge.definition.references import path_parts

ROOT = Path(__file__).parents[2]


def test_the_index_is_that_of_the_locked_botocore() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = re.search(r"^botocore==(\S+)", lock, re.MULTILINE)
    assert locked is not None
    assert service.botocore_version() == locked.group(1), "run scripts/build_service_index.py"


def test_the_index_is_what_the_script_makes_of_botocore() -> None:
    if botocore.__version__ != service.botocore_version():
        pytest.skip(
            f"the index is of botocore {service.botocore_version()}, installed is {botocore.__version__}"
        )
    script = _script()
    for path, text in script.texts().items():
        assert path.read_text(encoding="utf-8") == text, (
            f"{path.name} is stale: run scripts/build_service_index.py"
        )


def _script() -> ModuleType:
    path = ROOT / "scripts" / "build_service_index.py"
    specification = importlib.util.spec_from_file_location("build_service_index", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


def test_every_shape_resolves_and_every_pattern_compiles() -> None:
    for name in service.shape_names():
        shape = service.shape(name)
        assert shape.type
        _ = shape.expression
        assert set(shape.required) <= set(shape.members)
        if shape.type in ("list", "map"):
            assert shape.item


def test_shapes_of_every_kind_of_step_exist() -> None:
    for kind in KINDS.values():
        request = request_shape(kind.request)
        assert (request is None) == (kind.request == "")
        if request is not None:
            assert request.members
        for result in kind.results:
            assert service.shape(result).type == "structure"


def test_limits_and_types() -> None:
    count = (
        service.shape("CreateProcessingJobRequest").members["ProcessingResources"].members["ClusterConfig"]
    )
    assert (count.members["InstanceCount"].minimum, count.members["InstanceCount"].maximum) == (1, 100)
    assert count.members["InstanceCount"].parameter_type == "Integer"
    assert "ml.m5.xlarge" in count.members["InstanceType"].enum


def test_documentation_of_members_and_shapes() -> None:
    text = service.documentation("StoppingCondition", "MaxWaitTimeInSeconds")
    assert "managed Spot training" in text
    assert "`MaxRuntimeInSeconds`" in text
    assert "<" not in text
    assert service.documentation("ResourceConfig").startswith("Describes the resources")
    assert service.documentation("Nope", "nope") == ""


@pytest.mark.parametrize(
    ("type_", "path", "expected"),
    [
        ("Training", "ModelArtifacts.S3ModelArtifacts", "String"),
        ("Training", "BillableTimeInSeconds", "Integer"),
        ("Training", "FinalMetricDataList['x'].Value", "Float"),
        ("Training", "EnableManagedSpotTraining", "Boolean"),
        ("Training", "CreationTime", None),
        ("Training", "ModelArtifacts", None),
        ("Condition", "Outcome", "String"),
    ],
)
def test_types_of_properties(type_: str, path: str, expected: str | None) -> None:
    found = walk_property(KINDS[type_], path_parts(path))
    assert (found.fault, found.type) == (None, expected)


def test_members_for_completion() -> None:
    training = KINDS["Training"]
    assert "ModelArtifacts" in walk_property(training, ()).names
    assert walk_property(training, path_parts("ModelArtifacts")).names == ("S3ModelArtifacts",)
    assert walk_property(KINDS["AutoML"], path_parts("BestCandidateProperties")).names == (
        "ModelInsightsJsonReportPath",
        "ExplainabilityJsonReportPath",
    )
