from __future__ import annotations

from typing import Any

from stepbridge.program.calls import declarations, starts, uploads

from .endpoint import Call


def call(operation: str, error: str = "", response: dict[str, Any] | None = None, **request: Any) -> Call:
    return Call("sagemaker", operation, request, response or {}, error)


def test_an_upsert_of_an_existing_pipeline_is_one_declaration() -> None:
    found = declarations(
        [
            call("CreatePipeline", error="ValidationException", PipelineName="p", PipelineDefinition="old"),
            call("UpdatePipeline", PipelineName="p", PipelineDefinition="new", RoleArn="r"),
        ]
    )
    assert [(p.name, p.definition, p.role) for p in found] == [("p", "new", "r")]


def test_an_update_keeps_what_it_does_not_name() -> None:
    created = call(
        "CreatePipeline",
        PipelineName="p",
        PipelineDefinition="{}",
        RoleArn="r",
        PipelineDescription="first",
        ParallelismConfiguration={"MaxParallelExecutionSteps": 2},
        Tags=[{"Key": "a", "Value": "b"}],
    )
    (found,) = declarations([created, call("UpdatePipeline", PipelineName="p", PipelineDescription="then")])
    assert (found.definition, found.description, found.parallelism) == ("{}", "then", 2)
    assert found.tags == ({"Key": "a", "Value": "b"},)


def test_a_definition_in_s3_replaces_an_inline_one_and_back() -> None:
    location = {"Bucket": "b", "ObjectKey": "k"}
    inline = call("CreatePipeline", PipelineName="p", PipelineDefinition="{}")
    in_s3 = call("UpdatePipeline", PipelineName="p", PipelineDefinitionS3Location=location)
    (found,) = declarations([inline, in_s3])
    assert (found.definition, found.definition_location) == ("", location)
    (found,) = declarations([in_s3, inline])
    assert (found.definition, found.definition_location) == ("{}", None)


def test_starts_name_pipeline_and_execution() -> None:
    pipeline = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/p"
    found = starts(
        [
            call("StartPipelineExecution", PipelineName=pipeline, response={"PipelineExecutionArn": "arn"}),
            call("StartPipelineExecution", PipelineName="gone", error="ResourceNotFound"),
        ]
    )
    assert [(start.pipeline, start.arn) for start in found] == [("p", "arn")]


def test_uploads_are_listed_once() -> None:
    put = Call("s3", "PutObject", {"Bucket": "b", "Key": "k"}, {})
    failed = Call("s3", "PutObject", {"Bucket": "b", "Key": "no"}, {}, "AccessDenied")
    assert uploads([put, failed, put]) == ("s3://b/k",)
