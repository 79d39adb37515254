"""CloudWatch Logs of jobs: the calls by which SDKs show a job's output, read from the run's own log lines.

Groups that are not a job's go on to the fallback.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from .backend import JobLogs, LogLine
from .errors import ServiceError, as_json, request_id
from .http import Response

GROUPS = (
    "/aws/sagemaker/TrainingJobs",
    "/aws/sagemaker/ProcessingJobs",
    "/aws/sagemaker/TransformJobs",
    "/aws/sagemaker/Endpoints",
)
_MOST_EVENTS = 10_000
_MOST_STREAMS = 50


class LogsApi:
    """Answers the calls on job groups; `logs` None means that no job ever wrote a line."""

    def __init__(self, logs: JobLogs | None, *, region: str, account: str) -> None:
        self._logs = logs
        self._region = region
        self._account = account
        self._calls: dict[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
            "DescribeLogStreams": self._describe_streams,
            "GetLogEvents": self._get_events,
            "FilterLogEvents": self._filter_events,
        }

    def answer(self, operation: str, body: bytes) -> Response | None:
        """The answer to a call; None where it is not about a job's group."""
        call = self._calls.get(operation)
        if call is None:
            return None
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            return as_json(ServiceError("SerializationException", "The request is not JSON."))
        group = _group(request)
        if not group.startswith(GROUPS):
            return None
        try:
            answer = call({**request, "logGroupName": group})
        except ServiceError as error:
            return as_json(error)
        headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": request_id()}
        return Response(200, headers, json.dumps(answer).encode())

    def _names(self, group: str, prefix: str = "") -> list[str]:
        names = sorted(self._logs.streams(group, prefix)) if self._logs else []
        if not names and not prefix:
            raise ServiceError("ResourceNotFoundException", "The specified log group does not exist.")
        return names

    def _lines(self, group: str, stream: str) -> list[LogLine]:
        lines = self._logs.lines(group, stream) if self._logs else None
        if lines is None:
            raise ServiceError("ResourceNotFoundException", "The specified log stream does not exist.")
        return list(lines)

    def _describe_streams(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        group = request["logGroupName"]
        prefix = request.get("logStreamNamePrefix", "")
        names = self._names(group, prefix)
        if not names:
            raise ServiceError("ResourceNotFoundException", "The specified log group does not exist.")
        start = _number(request.get("nextToken"))
        limit = request.get("limit", _MOST_STREAMS)
        shown = names[start : start + limit]
        token = {"nextToken": str(start + limit)} if start + limit < len(names) else {}
        return {"logStreams": [self._stream(group, name) for name in shown], **token}

    def _stream(self, group: str, name: str) -> dict[str, Any]:
        lines = self._lines(group, name)
        arn = f"arn:aws:logs:{self._region}:{self._account}:log-group:{group}:log-stream:{name}"
        stream: dict[str, Any] = {"logStreamName": name, "arn": arn, "storedBytes": 0}
        if lines:
            first, last = _milliseconds(lines[0]), _milliseconds(lines[-1])
            stream |= {
                "creationTime": first,
                "firstEventTimestamp": first,
                "lastEventTimestamp": last,
                "lastIngestionTime": last,
            }
        return stream

    def _get_events(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Tokens are `f/INDEX` and `b/INDEX`; at the end a forward token comes back unchanged, as in AWS."""
        lines = self._lines(request["logGroupName"], request.get("logStreamName", ""))
        lines = [line for line in lines if _in_time(line, request)]
        limit = min(request.get("limit", _MOST_EVENTS), _MOST_EVENTS)
        direction, _, index = str(request.get("nextToken", "")).partition("/")
        if direction == "f":
            start = _number(index)
        elif direction == "b":
            start = max(_number(index) - limit, 0)
        else:
            start = 0 if request.get("startFromHead") else max(len(lines) - limit, 0)
        end = min(start + limit, len(lines)) if direction != "b" else min(_number(index), len(lines))
        return {
            "events": [_event(line) for line in lines[start:end]],
            "nextForwardToken": f"f/{max(end, start)}",
            "nextBackwardToken": f"b/{start}",
        }

    def _filter_events(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        group = request["logGroupName"]
        names = request.get("logStreamNames") or self._names(group, request.get("logStreamNamePrefix", ""))
        words = str(request.get("filterPattern", "")).strip('"')
        events = [
            {**_event(line), "logStreamName": name, "eventId": f"{name}/{index}"}
            for name in names
            for index, line in enumerate(self._lines(group, name))
            if _in_time(line, request) and words in line.text
        ]
        events.sort(key=lambda event: event["timestamp"])
        start = _number(request.get("nextToken"))
        end = start + min(request.get("limit", _MOST_EVENTS), _MOST_EVENTS)
        token = {"nextToken": str(end)} if end < len(events) else {}
        return {"events": events[start:end], **token}


def _group(request: Mapping[str, Any]) -> str:
    """The group's name; a call may say its ARN instead."""
    identifier = str(request.get("logGroupIdentifier", ""))
    name = request.get("logGroupName") or identifier.partition(":log-group:")[2] or identifier
    return str(name).removesuffix(":*")


def _number(text: Any) -> int:
    return int(text) if str(text or "").isdecimal() else 0


def _milliseconds(line: LogLine) -> int:
    return int(line.time * 1000)


def _in_time(line: LogLine, request: Mapping[str, Any]) -> bool:
    time = _milliseconds(line)
    return request.get("startTime", 0) <= time and ("endTime" not in request or time < request["endTime"])


def _event(line: LogLine) -> dict[str, Any]:
    time = _milliseconds(line)
    return {"timestamp": time, "message": line.text, "ingestionTime": time}
