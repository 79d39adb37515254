"""Requests are checked against botocore's model, with the service's codes and words."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from stepbridge.service.endpoint import Endpoint
from stepbridge.service.errors import ServiceError
from stepbridge.service.sagemaker.model import ServiceModel

from .conftest import ACCESS_KEY, REGION


@pytest.fixture(scope="module")
def model() -> ServiceModel:
    return ServiceModel.sagemaker()


def refusal(model: ServiceModel, operation: str, request: dict[str, Any]) -> str:
    with pytest.raises(ServiceError) as error:
        model.check_request(operation, request)
    return f"{error.value.code}: {error.value.message}"


def test_missing_members(model: ServiceModel) -> None:
    assert refusal(model, "DescribePipelineDefinitionForExecution", {}) == (
        "ValidationException: 1 validation error detected: Value at 'pipelineExecutionArn' failed to satisfy "
        "constraint: Member must not be null"
    )
    assert refusal(model, "CreatePipeline", {}).startswith(
        "ValidationException: 3 validation errors detected"
    )


def test_patterns_lengths_and_choices(model: ServiceModel) -> None:
    message = refusal(model, "DescribePipeline", {"PipelineName": "a b"})
    assert "Value 'a b' at 'pipelineName'" in message
    assert "Member must satisfy regular expression pattern" in message
    assert "length less than or equal to 63" in refusal(
        model, "DescribeTrainingJob", {"TrainingJobName": "a" * 64}
    )
    assert "enum value set: [Ascending, Descending]" in refusal(model, "ListPipelines", {"SortOrder": "Up"})
    assert "value less than or equal to 100" in refusal(model, "ListPipelines", {"MaxResults": 1000})


def test_places_inside_lists(model: ServiceModel) -> None:
    request = {"ResourceArn": "arn:aws:sagemaker:eu-west-1:123456789012:model/x", "Tags": [{"Key": "a"}]}
    assert "'tags.1.member.value'" in refusal(model, "AddTags", request)


def test_types(model: ServiceModel) -> None:
    assert refusal(model, "DescribePipeline", {"PipelineName": 5}).startswith("SerializationException")
    assert refusal(model, "ListPipelines", {"MaxResults": True}).startswith("SerializationException")


def test_instance_types_are_open(model: ServiceModel) -> None:
    """Newer types than botocore knows, and the SDK's "local", are the executor's matter."""
    variant = {"VariantName": "a", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "local"}
    model.check_request("CreateEndpointConfig", {"EndpointConfigName": "c", "ProductionVariants": [variant]})


def test_tags_with_letters_of_any_script(model: ServiceModel) -> None:
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:model/x"
    model.check_request("AddTags", {"ResourceArn": arn, "Tags": [{"Key": "équipe", "Value": "données: 1/2"}]})
    assert "pattern" in refusal(
        model, "AddTags", {"ResourceArn": arn, "Tags": [{"Key": "bad{}", "Value": "x"}]}
    )


def _post(endpoint: Endpoint, operation: str, data: bytes) -> tuple[int, dict[str, Any]]:
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20250101/{REGION}/sagemaker/aws4_request",
        "X-Amz-Target": f"SageMaker.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
    }
    request = urllib.request.Request(endpoint.url, data, headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_requests_that_are_no_json(endpoint: Endpoint) -> None:
    for data in (b"{", b"[]", b"\xff"):
        status, answer = _post(endpoint, "ListPipelines", data)
        assert (status, answer["__type"]) == (400, "SerializationException")


def test_calls_that_nobody_answers_name_themselves(endpoint: Endpoint, sagemaker: Any) -> None:
    status, answer = _post(endpoint, "Search", b'{"Resource": "TrainingJob"}')
    assert answer["__type"] == "UnknownOperationException"
    assert answer["message"] == "StepBridge does not run sagemaker:Search yet."
    assert status == 501
    assert _post(endpoint, "NeverHeardOf", b"{}")[1]["message"].startswith("StepBridge does not run")
