"""Every AWS call that is not ours: moto's backends, in this process.

moto costs over a second to import, and a plain pipeline never needs it: the import happens at the first call
that does. Calls that moto does not know either get an error that names them.
"""

from __future__ import annotations

import json
import threading
from typing import Any
from urllib.parse import parse_qs

from .auth import Credential
from .errors import ServiceError, as_json, as_query_xml, unknown_operation
from .http import Request, Response
from .identity import ROLE

IMPORTING = threading.RLock()  # moto's modules import each other in circles: one thread at a time
_BODY_LIMIT = 256 * 1024 * 1024  # bytes; moto holds a request in memory

# signing names whose host is another one
_HOSTS = {
    "sagemaker": "api.sagemaker.{region}.amazonaws.com",
    "ecr": "api.ecr.{region}.amazonaws.com",
    "iam": "iam.amazonaws.com",
    "route53": "route53.amazonaws.com",
    "budgets": "budgets.amazonaws.com",
    "cloudfront": "cloudfront.amazonaws.com",
    "organizations": "organizations.us-east-1.amazonaws.com",
    "eventbridge": "events.{region}.amazonaws.com",
}


class Fallback:
    """Answers with moto."""

    def __init__(self, account: str, region: str) -> None:
        self._account = account
        self._region = region
        self._stubber: Any = None

    @property
    def loaded(self) -> bool:
        return self._stubber is not None

    def load(self) -> Any:
        """Import moto (once) and make the role that programs name known to it."""
        with IMPORTING:
            if self._stubber is None:
                import moto.core.botocore_stubber

                _make_role(self._account)
                self._stubber = moto.core.botocore_stubber.BotocoreStubber()
            return self._stubber

    def answer(self, request: Request, credential: Credential, body: bytes | None = None) -> Response:
        """One call. Never raises for what a client did wrong."""
        if body is None:
            body = request.read_all(_BODY_LIMIT)
        service, operation = credential.service, _operation(request, body)
        try:
            status, headers, content = self._ask(request, credential, body)
        except NotImplementedError:
            return _refuse(request, unknown_operation(service, operation))
        except Exception as error:
            if type(error).__name__ == "OperationNotFoundError":
                return _refuse(request, unknown_operation(service, operation))
            message = f"{service}:{operation} failed in moto, which stands in for this service: {error!r}"
            # not 500: clients would try again and again
            return _refuse(request, ServiceError("InternalFailure", message, 501))
        if status == 404 and request.method != "HEAD" and content in ("", b"", "Not yet implemented"):
            return _refuse(request, unknown_operation(service, operation))
        return _as_response(status, headers, content)

    def _ask(self, request: Request, credential: Credential, body: bytes) -> tuple[int, Any, Any]:
        stubber = self.load()
        from botocore.awsrequest import AWSPreparedRequest
        from botocore.compat import HTTPHeaders

        region = credential.region or self._region
        host = _HOSTS.get(credential.service, "{service}.{region}.amazonaws.com")
        host = host.format(service=credential.service, region=region)
        headers = HTTPHeaders()
        for name, value in request.headers.items():
            headers[name] = host if name == "host" else value
        url = f"https://{host}{request.target}"
        found = stubber.process_request(AWSPreparedRequest(request.method, url, headers, body, False))
        if found is None:
            raise NotImplementedError
        status, answer_headers, content = found
        return int(status), answer_headers, content


def _make_role(account: str) -> None:
    """Lambda and others check that the role they are given exists in moto's own IAM."""
    from moto.backends import get_backend

    iam = get_backend("iam")[account]["aws"]
    if any(role.name == ROLE for role in iam.roles.values()):
        return  # moto's state is this process's, whatever the number of endpoints
    trust = {"Effect": "Allow", "Principal": {"Service": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(ROLE, document, "/", None, "", [], "43200")


def _operation(request: Request, body: bytes) -> str:
    """The call's name, or its method and path where the protocol does not say one."""
    target = request.headers.get("x-amz-target", "")
    if target:
        return target.rpartition(".")[2]
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        action = parse_qs(body.decode("utf-8", "replace")).get("Action")
        if action:
            return action[0]
    return f"{request.method} {request.path}"


def _refuse(request: Request, error: ServiceError) -> Response:
    is_query = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    return as_query_xml(error) if is_query else as_json(error)


def _as_response(status: int, headers: Any, content: Any) -> Response:
    kept = {
        str(name): str(value)
        for name, value in dict(headers or {}).items()
        if str(name).lower() not in ("content-length", "transfer-encoding", "connection", "date", "status")
    }
    if isinstance(content, (dict, list)):
        content = json.dumps(content)
    body = content.encode() if isinstance(content, str) else bytes(content or b"")
    return Response(status, kept, body)
