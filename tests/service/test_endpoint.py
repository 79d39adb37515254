"""Who may ask, who answers: access keys, identity, job logs, everything else, our own paths, life and end."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from stepbridge.errors import StorageError
from stepbridge.service import Endpoint, ModelRegistry, Records
from stepbridge.service.backend import LogLine
from stepbridge.service.http import Request, Response

from .conftest import ACCESS_KEY, ACCOUNT, REGION, FakeLogs


def code(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


# --- access -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "method", "arguments", "expected"),
    [
        ("s3", "list_buckets", {}, "InvalidAccessKeyId"),
        ("s3", "put_object", {"Bucket": "b00", "Key": "k", "Body": b"x" * 100_000}, "InvalidAccessKeyId"),
        ("sts", "get_caller_identity", {}, "InvalidClientTokenId"),
        ("iam", "get_role", {"RoleName": "r"}, "InvalidClientTokenId"),
        ("sagemaker", "list_pipelines", {}, "UnrecognizedClientException"),
        (
            "sagemaker-runtime",
            "invoke_endpoint",
            {"EndpointName": "e", "Body": b"x"},
            "UnrecognizedClientException",
        ),
        ("logs", "describe_log_groups", {}, "UnrecognizedClientException"),
        ("secretsmanager", "list_secrets", {}, "UnrecognizedClientException"),
    ],
)
def test_a_wrong_key_is_refused_in_the_caller_s_protocol(
    client: Any, service: str, method: str, arguments: dict[str, Any], expected: str
) -> None:
    intruder = client(service, access_key="AKIASOMEBODYELSE0000")
    with pytest.raises(ClientError) as error:
        getattr(intruder, method)(**arguments)
    assert code(error) == (expected, 403)


def test_no_key_is_refused(client: Any, endpoint: Endpoint) -> None:
    anonymous = client("s3", config=Config(signature_version=UNSIGNED))
    with pytest.raises(ClientError) as error:
        anonymous.list_buckets()
    assert code(error) == ("AccessDenied", 403)
    for path in ("/", "/b00/k", "/_stepbridge/anything"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(endpoint.url + path)
        assert refused.value.code == 403


def test_a_refused_upload_is_not_read(endpoint: Endpoint) -> None:
    """The answer comes before a client that asks first (Expect) has sent anything."""
    host, port = endpoint.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall(
            b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n"
        )
        assert sock.recv(1000).startswith(b"HTTP/1.1 403 Forbidden\r\n")


# --- identity -----------------------------------------------------------------------------------------------


def test_the_identity_is_an_assumed_role(client: Any) -> None:
    caller = client("sts").get_caller_identity()
    assert caller["Account"] == ACCOUNT
    assert caller["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/StepBridgeExecutionRole/stepbridge"
    role = client("iam").get_role(RoleName="StepBridgeExecutionRole")["Role"]
    assert role["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/StepBridgeExecutionRole"
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {
        "Service": "sagemaker.amazonaws.com"
    }
    path = client("iam").get_role(RoleName="AmazonSageMaker-ExecutionRole-20250101T000000")["Role"]["Path"]
    assert path == "/service-role/"


def test_an_assumed_role_can_go_on(client: Any) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/Other"
    answer = client("sts").assume_role(RoleArn=role, RoleSessionName="me")
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Other/me"
    s3 = client("s3", access_key=answer["Credentials"]["AccessKeyId"])
    assert s3.list_buckets()["Buckets"]


def test_policies_allow_everything(client: Any) -> None:
    answer = client("iam").simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:role/r",
        ActionNames=["s3:GetObject", "sagemaker:CreatePipeline"],
    )
    decisions = {one["EvalActionName"]: one["EvalDecision"] for one in answer["EvaluationResults"]}
    assert decisions == {"s3:GetObject": "allowed", "sagemaker:CreatePipeline": "allowed"}


# --- logs of jobs -------------------------------------------------------------------------------------------

GROUP = "/aws/sagemaker/TrainingJobs"


def test_logs_of_a_job(client: Any, logs: FakeLogs) -> None:
    lines = [LogLine(1000.0 + number, f"line {number}") for number in range(25)]
    logs.by_stream = {
        (GROUP, "train-1/algo-1"): lines,
        (GROUP, "train-1/algo-2"): [],
        (GROUP, "other/a"): lines,
    }
    api = client("logs")
    streams = api.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="train-1/")["logStreams"]
    assert [one["logStreamName"] for one in streams] == ["train-1/algo-1", "train-1/algo-2"]
    assert streams[0]["lastEventTimestamp"] == 1024_000

    page = api.get_log_events(
        logGroupName=GROUP, logStreamName="train-1/algo-1", startFromHead=True, limit=10
    )
    assert [one["message"] for one in page["events"]] == [f"line {number}" for number in range(10)]
    seen = 10
    while page["events"]:
        token = page["nextForwardToken"]
        page = api.get_log_events(
            logGroupName=GROUP, logStreamName="train-1/algo-1", nextToken=token, startFromHead=True, limit=10
        )
        seen += len(page["events"])
    assert seen == 25
    assert page["nextForwardToken"] == token
    lines.append(LogLine(2000.0, "late"))  # a reader that follows gets what came since
    page = api.get_log_events(logGroupName=GROUP, logStreamName="train-1/algo-1", nextToken=token)
    assert [one["message"] for one in page["events"]] == ["late"]

    found = api.filter_log_events(logGroupName=GROUP, logStreamNamePrefix="train-1/", filterPattern="late")
    assert [one["message"] for one in found["events"]] == ["late"]


def test_logs_of_a_job_that_wrote_none(client: Any) -> None:
    api = client("logs")
    with pytest.raises(api.exceptions.ResourceNotFoundException):
        api.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="train-1/")
    with pytest.raises(api.exceptions.ResourceNotFoundException):
        api.get_log_events(logGroupName=GROUP, logStreamName="train-1/algo-1")


# --- everything else ----------------------------------------------------------------------------------------


def test_other_services_are_moto_s(client: Any) -> None:
    secrets = client("secretsmanager")
    secrets.create_secret(Name="db", SecretString="hidden")
    assert secrets.get_secret_value(SecretId="db")["SecretString"] == "hidden"
    client("ssm").put_parameter(Name="/a", Value="1", Type="String")
    assert client("ssm").get_parameter(Name="/a")["Parameter"]["Value"] == "1"
    ecr = client("ecr")
    repository = ecr.create_repository(repositoryName="mine")["repository"]
    assert repository["repositoryUri"].startswith(f"{ACCOUNT}.dkr.ecr.{REGION}")
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.describe_repositories(repositoryNames=["nope"])
    client("logs").create_log_group(logGroupName="/mine")
    groups = client("logs").describe_log_groups(logGroupNamePrefix="/mine")["logGroups"]
    assert [one["logGroupName"] for one in groups] == ["/mine"]
    iam = client("iam")
    iam.create_user(UserName="ann")  # the part of IAM that is not ours
    assert iam.get_user(UserName="ann")["User"]["UserName"] == "ann"


def test_calls_that_nobody_knows_name_themselves(client: Any) -> None:
    with pytest.raises(ClientError) as error:
        client("bedrock-runtime").converse(modelId="m", messages=[])
    assert "StepBridge does not run bedrock:" in str(error.value)


def test_a_plain_compile_never_imports_moto(endpoint: Endpoint) -> None:
    """The endpoint is up before botocore or moto are imported: both cost more than it may take."""
    program = (
        "import sys, tempfile, pathlib\n"
        "from stepbridge.storage import ObjectStore\n"
        "from stepbridge.service import Endpoint, Records, SageMakerApi\n"
        "root = pathlib.Path(tempfile.mkdtemp())\n"
        "store, records = ObjectStore(root / 's3'), Records(root / 'r.sqlite')\n"
        "api = SageMakerApi(None, records, store, region='eu-west-1', account='123456789012')\n"
        "endpoint = Endpoint(store, api, access_key='k', secret_key='s', region='eu-west-1', account='1')\n"
        "endpoint.start(); api.prepare(); endpoint.stop()\n"
        "print([name for name in ('moto', 'botocore', 'werkzeug', 'asyncio') if name in sys.modules])\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=_environment()
    )
    assert output.stdout.strip() == "[]", output.stderr


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


# --- our own paths ------------------------------------------------------------------------------------------


def admin(endpoint: Endpoint, path: str, token: str = "admin token", method: str = "GET") -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    return urllib.request.urlopen(urllib.request.Request(endpoint.url + path, None, headers, method=method))


def test_routes(endpoint: Endpoint) -> None:
    def stream(request: Request, names: Mapping[str, str]) -> Response:
        def lines() -> Iterator[bytes]:
            for number in range(3):
                yield f"{names['run']} {names['step']} {number}\n".encode()

        return Response(200, {"Content-Type": "text/plain"}, lines())

    def fail(request: Request, names: Mapping[str, str]) -> Response:
        raise StorageError("The disk is full.", "Free some space.")

    endpoint.route("GET /_stepbridge/runs/{run}/steps/{step}", stream)
    endpoint.route("POST /_stepbridge/fail", fail)
    with admin(endpoint, "/_stepbridge/runs/r1/steps/Train%20it") as answer:
        assert answer.read() == b"r1 Train it 0\nr1 Train it 1\nr1 Train it 2\n"
    for path, method, status in (
        ("/_stepbridge/fail", "POST", 400),
        ("/_stepbridge/fail", "GET", 405),
        ("/_stepbridge/nope", "GET", 404),
    ):
        with pytest.raises(urllib.error.HTTPError) as error:
            admin(endpoint, path, method=method)
        assert error.value.code == status
    with pytest.raises(urllib.error.HTTPError) as error:
        admin(endpoint, "/_stepbridge/fail", method="POST")
    assert json.loads(error.value.read()) == {"message": "The disk is full.", "hint": "Free some space."}


def test_the_containers_key_does_not_open_our_own_paths(endpoint: Endpoint) -> None:
    for token in (ACCESS_KEY, "", "wrong"):
        with pytest.raises(urllib.error.HTTPError) as error:
            admin(endpoint, "/_stepbridge/nope", token)
        assert error.value.code == 403


def test_routes_lie_below_our_prefix(endpoint: Endpoint) -> None:
    with pytest.raises(ValueError, match="_stepbridge"):
        endpoint.route("GET /elsewhere", lambda request, names: Response())


# --- the server ---------------------------------------------------------------------------------------------


def test_a_second_address(endpoint: Endpoint, client: Any) -> None:
    """Linux answers on all of 127/8, which stands in for an engine's gateway address."""
    url = endpoint.bind("127.0.0.2")
    assert url.startswith("http://127.0.0.2:")
    assert client("sts", endpoint_url=url).get_caller_identity()["Account"] == ACCOUNT
    assert endpoint.bind("127.0.0.1") == endpoint.url
    with pytest.raises(OSError):
        endpoint.bind("192.0.2.1")  # not this machine's


def test_connections_are_kept(endpoint: Endpoint) -> None:
    connection = http.client.HTTPConnection(endpoint.url.removeprefix("http://"))
    connection.request("GET", "/")
    connection.getresponse().read()
    sock = connection.sock
    for body in (b"", b"x" * 200_000):  # an unread body is skipped
        connection.request("PUT", "/b/k", body)
        assert connection.getresponse().read()
        assert connection.sock is sock
    connection.close()


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /%ff HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
)
def test_broken_requests_get_an_answer(endpoint: Endpoint, request_: bytes) -> None:
    host, port = endpoint.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall(request_)
        assert sock.recv(100).startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))


def test_a_body_that_stops_short_stores_nothing(endpoint: Endpoint, s3: Any) -> None:
    s3.create_bucket(Bucket="b00", CreateBucketConfiguration={"LocationConstraint": REGION})
    host, port = endpoint.url.removeprefix("http://").split(":")
    credential = f"{ACCESS_KEY}/20250101/{REGION}/s3/aws4_request"
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall(
            f"PUT /b00/k HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential={credential}, Signature=0\r\n"
            "Content-Length: 100\r\n\r\nonly this".encode()
        )
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(100).startswith(b"HTTP/1.1 400")
    assert s3.list_objects_v2(Bucket="b00")["KeyCount"] == 0


def test_stop_lets_requests_end_and_closes_the_rest(endpoint: Endpoint) -> None:
    entered, release = threading.Event(), threading.Event()

    def slow(request: Request, names: Mapping[str, str]) -> Response:
        entered.set()
        release.wait(10)
        return Response(200, {}, b"done")

    endpoint.route("GET /_stepbridge/slow", slow)
    idle = http.client.HTTPConnection(endpoint.url.removeprefix("http://"))
    idle.request("GET", "/")
    idle.getresponse().read()
    answers: list[bytes] = []
    asking = threading.Thread(target=lambda: answers.append(admin(endpoint, "/_stepbridge/slow").read()))
    asking.start()
    assert entered.wait(10)
    stopping = threading.Thread(target=endpoint.stop, args=(10,))
    stopping.start()
    release.set()
    asking.join(10)
    stopping.join(10)
    assert answers == [b"done"]
    assert not stopping.is_alive()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", int(endpoint.url.rpartition(":")[2])), timeout=5)
    idle.close()


def test_starting_is_quick(endpoint: Endpoint) -> None:
    """Binding and answering the first call take far less than the 100 ms that the endpoint may cost."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        endpoint.bind("127.0.0.3")
        times.append(time.perf_counter() - started)
    assert min(times) < 0.05


# --- in this process ----------------------------------------------------------------------------------------


def test_the_registry_for_pipelines_writes_what_the_wire_reads(
    endpoint: Endpoint, sagemaker: Any, tmp_path: Any
) -> None:
    records = Records(tmp_path / "state" / "records.sqlite")
    registry = ModelRegistry(records, region=REGION, account=ACCOUNT)
    container = {"Image": "image:1", "ModelDataUrl": "s3://bucket/m.tar.gz"}
    described = registry.create_model({"ModelName": "made-here", "PrimaryContainer": container})
    assert described["PrimaryContainer"] == container
    assert sagemaker.describe_model(ModelName="made-here")["ModelArn"] == described["ModelArn"]
    package = registry.create_model_package(
        {
            "ModelPackageGroupName": "new-group",
            "ModelApprovalStatus": "Approved",
            "Tags": [{"Key": "a", "Value": "b"}],
        }
    )
    assert package["ModelPackageVersion"] == 1
    found = sagemaker.list_model_packages(ModelPackageGroupName="new-group")["ModelPackageSummaryList"]
    assert found[0]["ModelPackageArn"] == package["ModelPackageArn"]
    assert sagemaker.list_tags(ResourceArn=package["ModelPackageArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    records.close()
