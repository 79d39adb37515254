from __future__ import annotations

from typing import Any

import pytest

PLACE = "/Steps/0/Arguments/Environment/V"
FILE = {"Get": "Steps.Prep.PropertyFiles.Report"}


def join(**argument: Any) -> dict[str, Any]:
    return {"Std:Join": argument}


def json_get(**argument: Any) -> dict[str, Any]:
    return {"Std:JsonGet": argument}


def files(*entries: Any) -> dict[str, Any]:
    outputs = [{"OutputName": name} for name in ("train", "report")]
    arguments = {"ProcessingOutputConfig": {"Outputs": outputs}}
    return {"Type": "Processing", "Arguments": arguments, "PropertyFiles": list(entries)}


def file(**more: Any) -> dict[str, Any]:
    return {"PropertyFileName": "F", "OutputName": "report", "FilePath": "r.json", **more}


ROWS: list[tuple[str, str, Any, str, Any]] = [
    ("J071", "value", join(On="/", Values="a"), PLACE + "/Std:Join/Values", join(On="/", Values=["a"])),
    ("J071", "value", join(On=1, Values=[]), PLACE + "/Std:Join/On", join(Values=[])),
    ("J071", "value", join(On=""), PLACE + "/Std:Join", join(On="", Values=[1, 2.5, True, "s:/"])),
    ("J071", "value", join(Values=[["a"]]), PLACE + "/Std:Join/Values/0", join(Values=[join(Values=["a"])])),
    ("J071", "value", join(Values=["a", None]), PLACE + "/Std:Join/Values/1", join(Values=[json_get()])),
    ("J071", "value", {"Std:Join": ["a"]}, PLACE + "/Std:Join", join(Values=[{"Get": "Parameters.S"}])),
    (
        "J072",
        "value",
        json_get(PropertyFile=FILE, S3Uri="s3://b/k", Path="x"),
        PLACE + "/Std:JsonGet",
        json_get(PropertyFile=FILE, Path="x"),
    ),
    ("J072", "value", json_get(Path="x"), PLACE + "/Std:JsonGet", json_get(S3Uri="s3://b/k", Path="x")),
    (
        "J072",
        "value",
        json_get(PropertyFile=FILE),
        PLACE + "/Std:JsonGet",
        json_get(PropertyFile=FILE, Path="a.b"),
    ),
    (
        "J072",
        "value",
        {"Std:JsonGet": "x"},
        PLACE + "/Std:JsonGet",
        json_get(S3Uri=join(Values=[]), Path="x"),
    ),
    (
        "J073",
        "value",
        json_get(PropertyFile=FILE, Path=join(Values=["a"])),
        PLACE + "/Std:JsonGet/Path",
        json_get(PropertyFile=FILE, Path="a['b c'][0].d"),
    ),
    (
        "J073",
        "value",
        json_get(PropertyFile=FILE, Path="a..b"),
        PLACE + "/Std:JsonGet/Path",
        json_get(PropertyFile=FILE, Path="a.b"),
    ),
    (
        "J074",
        "value",
        json_get(PropertyFile={"Get": "Steps.Prep.PropertyFiles.Reprot"}, Path="x"),
        PLACE + "/Std:JsonGet/PropertyFile/Get",
        json_get(PropertyFile=FILE, Path="x"),
    ),
    (
        "J074",
        "value",
        json_get(PropertyFile={"Get": "Steps.Train.PropertyFiles.Report"}, Path="x"),
        PLACE + "/Std:JsonGet/PropertyFile/Get",
        json_get(PropertyFile={"Get": "Steps.Nope.PropertyFiles.Report"}, Path="x"),
    ),
    (
        "J074",
        "value",
        json_get(PropertyFile="Report", Path="x"),
        PLACE + "/Std:JsonGet/PropertyFile",
        json_get(S3Uri="s3://b/k", Path="x"),
    ),
    (
        "J074",
        "conditions",
        [
            {
                "Type": "Equals",
                "LeftValue": json_get(PropertyFile={"Get": "Parameters.S"}, Path="x"),
                "RightValue": 1,
            }
        ],
        "/Steps/0/Arguments/Conditions/0/LeftValue/Std:JsonGet/PropertyFile",
        [{"Type": "Equals", "LeftValue": json_get(PropertyFile=FILE, Path="x"), "RightValue": 1}],
    ),
    ("J075", "value", {"Std:Concat": ["a"]}, PLACE + "/Std:Concat", join(Values=["a"])),
    ("J075", "value", {"Std:join": {}}, PLACE + "/Std:join", {"Stdx": 1}),
    ("J080", "step", files(file(OutputName="reprot")), "/Steps/0/PropertyFiles/0/OutputName", files(file())),
    (
        "J080",
        "step",
        files({"PropertyFileName": "F", "OutputName": "report"}),
        "/Steps/0/PropertyFiles/0",
        files(file(FilePath="x")),
    ),
    (
        "J080",
        "step",
        files(file(), file()),
        "/Steps/0/PropertyFiles/1/PropertyFileName",
        files(file(), file(PropertyFileName="G")),
    ),
    ("J080", "step", {"PropertyFiles": [file()]}, "/Steps/0/PropertyFiles", {"PropertyFiles": []}),
    ("J080", "step", {"PropertyFiles": {}}, "/Steps/0/PropertyFiles", {"PropertyFiles": None}),
    ("J080", "step", files(file(FilePath=3)), "/Steps/0/PropertyFiles/0/FilePath", files(file(FilePath="3"))),
    (
        "J081",
        "step",
        files(file(FilePath="/opt/ml/e.json")),
        "/Steps/0/PropertyFiles/0/FilePath",
        files(file(FilePath="sub/e.json")),
    ),
    (
        "J081",
        "step",
        files(file(FilePath="e.csv")),
        "/Steps/0/PropertyFiles/0/FilePath",
        files(file(FilePath="metrics")),
    ),
]


@pytest.mark.parametrize(("code", "kind", "bad", "place", "good"), ROWS)
def test_rule(judge: Any, code: str, kind: str, bad: Any, place: str, good: Any) -> None:
    judge(code, kind, bad, place, good)
