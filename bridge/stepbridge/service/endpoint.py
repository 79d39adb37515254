"""The one HTTP endpoint: who may ask, and which part answers.

S3, STS and IAM, SageMaker, its runtime and jobs' logs are ours; everything else is the fallback's. Every
request must carry the run's random access key, our own paths a bearer token; else it is refused before its
body is read.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from urllib.parse import parse_qsl

from stepbridge.storage import ObjectStore

from .admin import PREFIX, AdminHandler, Routes, error_answer
from .auth import Credential, bearer, credential, same_secret
from .backend import JobLogs
from .calls import Call, CallLog, s3_call, sagemaker_call
from .errors import ServiceError, as_json, as_query_xml, as_s3_xml, unknown_operation
from .fallback import Fallback
from .functions import BUCKET, FunctionsApi, code_keys
from .http import BadRequestError, Request, Response, Server
from .identity import Identity
from .logs import LogsApi
from .runtime import RuntimeApi
from .s3 import S3Api
from .sagemaker import SageMakerApi

_log = logging.getLogger(__name__)

_CALL_LIMIT = 64 * 1024 * 1024  # bytes of a JSON or form call; definitions and model cards are below 10 MB
_LOOPBACK = "127.0.0.1"


class Endpoint:
    """The local AWS endpoint.

    Args:
        store: the local S3.
        sagemaker: SageMaker's calls.
        access_key, secret_key: the run's random credentials.
        container_key: a second access key, for step containers; their calls are not kept in `calls`.
        admin_token: opens `/_stepbridge/`; containers never get it. The access key where it is not given.
        logs: output of jobs for CloudWatch Logs.
    """

    def __init__(
        self,
        store: ObjectStore,
        sagemaker: SageMakerApi,
        *,
        access_key: str,
        secret_key: str,
        region: str,
        account: str,
        container_key: str = "",
        admin_token: str = "",
        logs: JobLogs | None = None,
    ) -> None:
        self._sagemaker = sagemaker
        self.calls = CallLog()
        self._access_key = access_key
        self._container_key = container_key or access_key
        self._admin_token = admin_token or access_key
        self._s3 = S3Api(store, sagemaker.records, region=region, account=account)
        self._identity = Identity(account, access_key, secret_key)
        self._logs = LogsApi(logs, region=region, account=account)
        self._functions = FunctionsApi(store, sagemaker.records, region=region, account=account)
        self._runtime = RuntimeApi(sagemaker.serving)
        self._fallback = Fallback(account, region)
        self._routes = Routes()
        self._server = Server(self._answer)
        self._port = 0

    # --- life ---------------------------------------------------------------------------------------------

    def start(self, port: int = 0) -> str:
        """Listen on loopback; returns the URL. Raises OSError where the port is taken."""
        self._port = self._server.listen(_LOOPBACK, port)
        threading.Thread(target=self._prepare, name="endpoint-prepare", daemon=True).start()
        return self.url

    @property
    def url(self) -> str:
        return f"http://{_LOOPBACK}:{self._port}"

    def bind(self, address: str) -> str:
        """Listen on another address too (the engine's gateway, for containers); returns its URL.

        The port is the same where it is free there. Raises OSError where the address is not this machine's.
        """
        if address in (_LOOPBACK, "localhost"):
            return self.url
        try:
            port = self._server.listen(address, self._port)
        except OSError:
            port = self._server.listen(address)
        host = f"[{address}]" if ":" in address else address
        return f"http://{host}:{port}"

    def stop(self, grace_seconds: float = 2.0) -> None:
        """End. Requests under way get the grace."""
        self._server.stop(grace_seconds)

    def route(self, pattern: str, handler: AdminHandler) -> None:
        """Answer "METHOD /_stepbridge/path/{name}" by `handler(request, {"name": ...})`; it may stream."""
        self._routes.add(pattern, handler)

    def _prepare(self) -> None:
        """Read the service model while the user's interpreter still starts; tidy up after dead processes."""
        self._sagemaker.prepare()
        with contextlib.suppress(OSError):
            self._s3.sweep()

    # --- answering ----------------------------------------------------------------------------------------

    def _answer(self, request: Request) -> Response:
        started = time.perf_counter()
        try:
            response = self._dispatch(request)
        except BadRequestError:
            raise
        except OSError as error:
            _log.exception("endpoint: %s %s", request.method, request.path)
            response = as_json(ServiceError("InternalFailure", f"StepBridge failed: {error}", 500))
        except Exception as error:
            _log.exception("endpoint: %s %s", request.method, request.path)
            response = as_json(ServiceError("InternalFailure", f"StepBridge failed: {error!r}", 500))
        if _log.isEnabledFor(logging.DEBUG):
            seconds = time.perf_counter() - started
            _log.debug("%s %s -> %s %.3fs", request.method, request.path, response.status, seconds)
        return response

    def _dispatch(self, request: Request) -> Response:
        if request.path.startswith(PREFIX):
            if not same_secret(bearer(request), self._admin_token):
                return error_answer(
                    403, "The token is missing or wrong.", "Read it from .stepbridge/bridges/."
                )
            return self._routes.answer(request)
        signed = credential(request)
        if signed is None or not self._is_known(signed):
            return _refuse(request, signed)
        if signed.service in ("s3", ""):
            response = self._s3.answer(request)
            bucket, key = self._s3.address(request)
            self._keep(signed, s3_call(request, bucket, key, response))
            return response
        if signed.service == "sagemaker":
            return self._answer_sagemaker(request, signed)
        return self._answer_other(request, signed)

    def _answer_sagemaker(self, request: Request, signed: Credential) -> Response:
        prefix, _, operation = request.headers.get("x-amz-target", "").rpartition(".")
        if prefix == "SageMaker":
            body = request.read_all(_CALL_LIMIT)
            response = self._sagemaker.answer(operation, body)
            self._keep(signed, sagemaker_call(operation, body, response))
            return response
        answer = self._runtime.answer(request)
        if answer is not None:
            return answer
        if request.path == "/BatchPutMetrics":
            return self._fallback.answer(request, signed)
        return as_json(unknown_operation("sagemaker", f"{request.method} {request.path}"))

    def _is_known(self, signed: Credential) -> bool:
        return same_secret(signed.access_key, self._access_key) or same_secret(
            signed.access_key, self._container_key
        )

    def _keep(self, signed: Credential, call: Call) -> None:
        if same_secret(signed.access_key, self._access_key):
            self.calls.add(call)

    def _answer_other(self, request: Request, signed: Credential) -> Response:
        body = request.read_all(_CALL_LIMIT)
        answer = None
        self._keep(signed, Call(signed.service, _operation(request, body)))
        if signed.service in ("sts", "iam"):
            answer = self._identity.answer(signed.service, body)
        elif signed.service == "logs":
            operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
            answer = self._logs.answer(operation, body)
        elif signed.service == "lambda":
            answer = self._functions.answer(request, body)
            if answer is not None and answer.status < 300 and request.method in ("POST", "PUT"):
                # what it was made from is found out as for any other upload
                for key in code_keys(request.path, body):
                    self._keep(signed, Call("s3", "PutObject", {"Bucket": BUCKET, "Key": key}))
        return answer or self._fallback.answer(request, signed, body)


def _operation(request: Request, body: bytes) -> str:
    target = request.headers.get("x-amz-target", "").rpartition(".")[2]
    form = dict(parse_qsl(body[:4096].decode("latin-1"))) if not target else {}
    return target or form.get("Action") or f"{request.method} {request.path}"


def _refuse(request: Request, signed: Credential | None) -> Response:
    """403 in the shape that the caller's protocol has."""
    message = (
        "The access key is not this run's: StepBridge answers only programs and containers that it started."
    )
    headers = request.headers
    if "x-amz-target" in headers or "json" in headers.get("content-type", ""):
        return as_json(ServiceError("UnrecognizedClientException", message, 403))
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return as_query_xml(ServiceError("InvalidClientTokenId", message, 403))
    if signed is None:
        return as_s3_xml(ServiceError("AccessDenied", f"Access Denied. {message}", 403))
    if signed.service not in ("s3", ""):
        return as_json(ServiceError("UnrecognizedClientException", message, 403))
    return as_s3_xml(ServiceError("InvalidAccessKeyId", message, 403))
