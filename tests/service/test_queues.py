"""Queues that this process puts messages on are those that clients of the endpoint ask."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from stepbridge.errors import StepBridgeError
from stepbridge.service.queues import Queues

from .conftest import REGION, MakeClient

ACCOUNT = "123456789012"


def received(sqs: Any, name: str) -> list[str]:
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [message["Body"] for message in found]


@pytest.mark.parametrize("made_before", [True, False])
@pytest.mark.parametrize("suffix", ["", ".fifo"])
def test_a_message_is_received_by_a_client(client: MakeClient, made_before: bool, suffix: str) -> None:
    sqs, name = client("sqs"), f"approvals-{secrets.token_hex(4)}{suffix}"
    if made_before:
        sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if suffix else {})
    queues = Queues(REGION)
    queues.send(f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}", "one", "run")
    queues.send(f"http://127.0.0.1:4566/{ACCOUNT}/{name}", "two", "run")
    assert sorted(received(sqs, name)) == ["one", "two"]


@pytest.mark.parametrize("url", ["", "approvals", "https://sqs.us-east-1.amazonaws.com/1/a b", "s3://a/b"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(StepBridgeError, match=r"no address of an SQS queue\n  It reads https://sqs\."):
        Queues(REGION).send(url, "one", "run")
