"""A stand-in for the local AWS endpoint: just the calls that SDK programs make while they compile.

Keeps every call it answers in `calls`, and each object as a plain file, as the real one does.
"""

from __future__ import annotations

import json
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ACCOUNT = "123456789012"
ROLE = "SageMakerRole"
_QUERY = '<{0}Response xmlns="{2}"><{0}Result>{1}</{0}Result><ResponseMetadata/></{0}Response>'


@dataclass(frozen=True)
class Call:
    service: str
    operation: str
    request: dict[str, Any]
    response: dict[str, Any]
    error: str = ""


class Endpoint(ThreadingHTTPServer):
    """Serves on a free loopback port."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.calls: list[Call] = []
        self.folder = folder  # of the objects: <folder>/<bucket>/<key>
        self.buckets: set[str] = set()
        self.pipelines: dict[str, dict[str, Any]] = {}
        self.keys: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def mark(self) -> int:
        return len(self.calls)

    def since(self, mark: int) -> list[Call]:
        return self.calls[mark:]

    def requests(self, operation: str) -> list[dict[str, Any]]:
        return [call.request for call in self.calls if call.operation == operation]

    def operations(self, service: str) -> list[str]:
        return [call.operation for call in self.calls if call.service == service]

    def path(self, uri: str) -> Path:
        return self.folder / uri.removeprefix("s3://")

    def definition(self, pipeline: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.pipelines[pipeline]["PipelineDefinition"])
        return document


@contextmanager
def serving(folder: Path) -> Iterator[Endpoint]:
    server = Endpoint(folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Endpoint

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        credential = self.headers.get("Authorization", "")
        scope = credential.partition("Credential=")[2].split(",")[0].split("/")
        self.server.keys.add(scope[0])
        service = scope[3] if len(scope) > 3 else "s3"
        if service == "s3":
            self._s3(body)
        elif service == "sagemaker":
            self._sagemaker(self.headers["X-Amz-Target"].partition(".")[2], json.loads(body or b"{}"))
        else:
            self._query(service, dict(urllib.parse.parse_qsl(body.decode())))

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer

    def _send(self, status: int, body: bytes, kind: str = "text/xml", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _s3(self, body: bytes) -> None:
        bucket, _, key = (
            urllib.parse.unquote(urllib.parse.urlsplit(self.path).path).lstrip("/").partition("/")
        )
        path, buckets = self.server.path(f"s3://{bucket}/{key}"), self.server.buckets
        if not bucket:
            self._list_buckets()
            return
        verb = {"PUT": "Put" if key else "Create", "GET": "Get", "HEAD": "Head"}[self.command]
        operation = verb + ("Object" if key else "Bucket")
        self.server.calls.append(Call("s3", operation, {"Bucket": bucket, "Key": key}, {}))
        if self.command == "PUT":
            buckets.add(bucket)
            if key:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(body)
            self._send(200, b"", ETag='"0"')
        elif not key:
            known = bucket in buckets
            self._send(200 if known else 404, b"", x_amz_bucket_region="us-east-1")
        elif path.is_file():
            self._send(200, path.read_bytes(), "binary/octet-stream", ETag='"0"')
        else:
            self._send(404, b"<Error><Code>NoSuchKey</Code><Message>no</Message></Error>")

    def _list_buckets(self) -> None:
        self.server.calls.append(Call("s3", "ListBuckets", {}, {}))
        names = "".join(
            f"<Bucket><Name>{name}</Name><CreationDate>2024-01-01T00:00:00Z</CreationDate></Bucket>"
            for name in sorted(self.server.buckets)
        )
        owner = "<Owner><ID>a</ID></Owner>"
        body = f"<ListAllMyBucketsResult>{owner}<Buckets>{names}</Buckets></ListAllMyBucketsResult>"
        self._send(200, body.encode())

    def _query(self, service: str, request: dict[str, str]) -> None:
        operation = request["Action"]
        role = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
        answer = {
            "GetCallerIdentity": f"<Arn>arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/local</Arn>"
            f"<UserId>A:local</UserId><Account>{ACCOUNT}</Account>",
            "GetRole": f"<Role><Path>/</Path><RoleName>{ROLE}</RoleName><RoleId>A</RoleId><Arn>{role}</Arn>"
            "<CreateDate>2024-01-01T00:00:00Z</CreateDate></Role>",
            "SimulatePrincipalPolicy": "<IsTruncated>false</IsTruncated><EvaluationResults/>",
        }[operation]
        self.server.calls.append(Call(service, operation, dict(request), {}))
        self._send(200, _QUERY.format(operation, answer, f"https://{service}.amazonaws.com/doc/").encode())

    def _sagemaker(self, operation: str, request: dict[str, Any]) -> None:
        status, answer = self._pipeline_call(operation, request)
        self.server.calls.append(Call("sagemaker", operation, request, answer, answer.get("__type", "")))
        self._send(status, json.dumps(answer).encode(), "application/x-amz-json-1.1")

    def _pipeline_call(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = request.get("PipelineName", "").rpartition("/")[2]
        arn = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:pipeline/{name}"
        known = self.server.pipelines
        if operation == "CreatePipeline":
            if name in known:
                message = f"Pipeline names must be unique within an AWS account: {name} already exists."
                return 400, {"__type": "ValidationException", "message": message}
            known[name] = request
            return 200, {"PipelineArn": arn}
        if operation == "UpdatePipeline":
            known[name] = {**known[name], **request}
            return 200, {"PipelineArn": arn}
        if operation == "DescribePipeline" and name in known:
            return 200, {"PipelineArn": arn, "PipelineName": name}
        if operation == "StartPipelineExecution":
            return 200, {"PipelineExecutionArn": f"{arn}/execution/abcdefghijkl"}
        if operation == "DescribePipelineExecution":
            return 200, {
                "PipelineExecutionArn": request["PipelineExecutionArn"],
                "PipelineExecutionStatus": "Succeeded",
            }
        if operation == "ListPipelineExecutionSteps":
            return 200, {"PipelineExecutionSteps": []}
        return 400, {"__type": "ResourceNotFound", "message": f"{operation}: {name} does not exist."}

    def log_message(self, *args: object) -> None:
        """Quiet."""
