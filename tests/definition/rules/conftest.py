"""What the tables of rule tests share: valid samples, a way to put a fragment into one, and the judgement.

A row of a table is (code, kind of fragment, violating fragment, its place, nearly violating fragment).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from stepbridge.definition import rules
from stepbridge.definition.rules import Finding, Fix
from stepbridge.definition.values import pointer_text

ROLE = "arn:aws:iam::123456789012:role/Role"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/image:1"
TRAINING: dict[str, Any] = {
    "RoleArn": ROLE,
    "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
}
PROCESSING: dict[str, Any] = {
    "RoleArn": ROLE,
    "AppSpecification": {"ImageUri": IMAGE},
    "ProcessingResources": {
        "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
    },
    "ProcessingOutputConfig": {
        "Outputs": [
            {
                "OutputName": name,
                "S3Output": {
                    "S3Uri": f"s3://bucket/{name}",
                    "LocalPath": f"/opt/ml/processing/{name}",
                    "S3UploadMode": "EndOfJob",
                },
            }
            for name in ("train", "report")
        ]
    },
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "Training": TRAINING,
    "Processing": PROCESSING,
    "Transform": {
        "ModelName": "model",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/x"}}
        },
        "TransformOutput": {"S3OutputPath": "s3://bucket/out"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    },
    "Tuning": {
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
        },
        "TrainingJobDefinition": TRAINING,
    },
    "Model": {
        "ExecutionRoleArn": ROLE,
        "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://bucket/m"},
    },
    "RegisterModel": {
        "ModelPackageGroupName": "group",
        "InferenceSpecification": {
            "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://bucket/m"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    },
    "AutoML": {
        "RoleArn": ROLE,
        "InputDataConfig": [
            {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/x"}},
                "TargetAttributeName": "y",
            }
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "AutoMLJobConfig": {"Mode": "ENSEMBLING"},
    },
    "EMR": {"ClusterId": "j-1", "StepConfig": {"HadoopJarStep": {"Jar": "command-runner.jar"}}},
    "Fail": {"ErrorMessage": "stop"},
}

Judge = Callable[[str, str, Any, str, Any], None]


@pytest.fixture
def judge() -> Judge:
    """Asserts that a rule speaks on the violating fragment, at its place, and not on the near miss."""

    def judge(code: str, kind: str, bad: Any, place: str, good: Any) -> None:
        found = findings(code, kind, bad)
        assert [pointer_text(f.pointer) for f in found] == [place], [f.message for f in found]
        assert found[0].message.endswith((".", "?"))
        silent = findings(code, kind, good)
        assert [f.message for f in silent] == []
        for finding in found:
            if finding.fix is not None:
                fixed = applied(finding.fix, document(kind, bad))
                assert rules.check_document(fixed, [code]) == [], finding.fix

    return judge


@pytest.fixture
def found() -> Callable[[str, str, Any], list[Finding]]:
    """The findings of one rule on a fragment."""
    return findings


def findings(code: str, kind: str, fragment: Any) -> list[Finding]:
    if kind == "text":
        return rules.check(fragment, [code])
    return rules.check_document(document(kind, fragment), [code])


def document(kind: str, fragment: Any) -> Any:
    """A definition that holds the fragment; `kind` says where it belongs."""
    if kind == "document":
        return {"Version": "2020-12-01", "Steps": [step("A")], **fragment}
    if kind == "root":
        return fragment
    if kind == "parameters":
        return {"Version": "2020-12-01", "Parameters": fragment, "Steps": [step("A")]}
    if kind == "steps":
        return _with_steps(*fragment)
    if kind == "step":
        return _with_steps({**step("A"), **fragment})
    if kind == "conditions":
        arguments = {"Conditions": fragment, "IfSteps": [step("Then")], "ElseSteps": []}
        return _with_steps({"Name": "If", "Type": "Condition", "Arguments": arguments})
    if kind == "value":  # a value in a processing job's Environment
        return _with_steps(step("P", "Processing", Environment={"V": fragment}))
    if kind in ("Lambda", "Callback", "Condition"):
        return _with_steps({"Name": "A", "Type": kind, "Arguments": {}, **fragment})
    arguments = _merged(copy.deepcopy(ARGUMENTS[kind]), fragment)
    return _with_steps({"Name": "A", "Type": kind, "Arguments": arguments})


def step(name: str, type_: str = "Training", **arguments: Any) -> dict[str, Any]:
    return {"Name": name, "Type": type_, "Arguments": {**copy.deepcopy(ARGUMENTS[type_]), **arguments}}


def _with_steps(*steps: Any) -> dict[str, Any]:
    known = [
        {"Name": "N", "Type": "Integer", "DefaultValue": 1},
        {"Name": "F", "Type": "Float", "DefaultValue": 1.5},
        {"Name": "B", "Type": "Boolean", "DefaultValue": True},
        {"Name": "S", "Type": "String", "DefaultValue": "s"},
    ]
    processing = {
        **step("Prep", "Processing"),
        "PropertyFiles": [{"PropertyFileName": "Report", "OutputName": "report", "FilePath": "r.json"}],
    }
    call = {
        "Name": "Call",
        "Type": "Lambda",
        "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:f",
        "Arguments": {},
        "OutputParameters": [
            {"OutputName": "status", "OutputType": "Integer"},
            {"OutputName": "uri", "OutputType": "String"},
        ],
    }
    stop = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "stop"}}
    others = [processing, step("Train"), call, stop]
    return {"Version": "2020-12-01", "Parameters": known, "Steps": [*steps, *others]}


def _merged(base: Any, fragment: Any) -> Any:
    """Objects merge, None removes, everything else replaces."""
    if not isinstance(base, dict) or not isinstance(fragment, dict):
        return fragment
    for key, value in fragment.items():
        if value is None:
            base.pop(key, None)
        else:
            base[key] = _merged(base.get(key), value)
    return base


def applied(fix: Fix, value: Any) -> Any:
    """A copy of the JSON with the fix done."""
    value = json.loads(json.dumps(value))
    for edit in fix.edits:
        if not edit.pointer:
            value = edit.value
            continue
        parent = value
        for part in edit.pointer[:-1]:
            parent = parent[part]
        last = edit.pointer[-1]
        if edit.kind == "replace":
            parent[last] = edit.value
        elif edit.kind == "rename":
            items = [(edit.value if key == last else key, item) for key, item in parent.items()]
            parent.clear()
            parent.update(items)
        elif edit.kind == "remove":
            del parent[last]
        elif isinstance(parent, list):
            parent.insert(last, edit.value)
        else:
            assert last not in parent
            parent[last] = edit.value
    return value
