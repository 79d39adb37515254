"""Lambda functions: kept, so that a pipeline's Lambda steps find their code, also when the program is not run
again. Answers the calls with which programs create, change, describe and delete functions; everything else
about Lambda is the fallback's. Functions are run by Lambda steps, not here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from stepbridge.storage import ObjectStore

from .errors import ServiceError, as_json, request_id, unknown_operation
from .http import Request, Response
from .records import Document, Records

FUNCTION = "function"
BUCKET = "stepbridge-functions"  # where their code lies, as <name>/code.zip

_PATH = re.compile(r"/2015-03-31/functions/?(?P<name>[^/]+)?(?:/(?P<part>code|configuration|invocations))?/?")
_SETTINGS = ("Runtime", "Role", "Handler", "Description", "Timeout", "MemorySize", "Environment", "Layers")


class FunctionsApi:
    """Answers for one account and region."""

    def __init__(self, store: ObjectStore, records: Records, *, region: str, account: str) -> None:
        self._store = store
        self._records = records
        self._region = region
        self._account = account

    def answer(self, request: Request, body: bytes) -> Response | None:
        """The answer; None for calls that are not ours."""
        found = _PATH.fullmatch(request.path)
        if found is None:
            return None
        name = function_name(unquote(found["name"] or ""))
        try:
            answer = self._call(request.method, name, found["part"] or "", _decoded(body))
        except ServiceError as error:
            return as_json(error)
        if answer is None:
            return None
        status = 201 if (request.method, name) == ("POST", "") else 200
        if request.method == "DELETE":
            return Response(204, {"x-amzn-RequestId": request_id()}, b"")
        headers = {"Content-Type": "application/json", "x-amzn-RequestId": request_id()}
        return Response(status, headers, msgspec.json.encode(answer))

    def _call(self, method: str, name: str, part: str, given: Mapping[str, Any]) -> Any:
        if not name:
            calls: Mapping[str, Any] = {"POST": lambda: self._create(given), "GET": self._list}
            return calls[method]() if method in calls else None
        if part == "invocations":
            raise unknown_operation("lambda", "Invoke")
        known = self._records.get(FUNCTION, name)
        if known is None:
            arn = self._arn(name)
            raise ServiceError("ResourceNotFoundException", f"Function not found: {arn}", 404)
        if (method, part) == ("GET", ""):
            return {"Configuration": known, "Code": {"RepositoryType": "S3", "Location": code_uri(name)}}
        if (method, part) == ("GET", "configuration"):
            return known
        if (method, part) == ("PUT", "code"):
            return self._save(name, {**known, **self._keep_code(name, given)})
        if (method, part) == ("PUT", "configuration"):
            return self._save(name, {**known, **_settings(given)})
        if method == "DELETE":
            self._records.remove(FUNCTION, name)
            self._store.delete(code_uri(name))
            return {}
        return None

    def _create(self, given: Mapping[str, Any]) -> Document:
        name = function_name(str(given.get("FunctionName", "")))
        if not name or "Code" not in given:
            raise ServiceError("InvalidParameterValueException", "FunctionName and Code are needed.")
        if self._records.get(FUNCTION, name) is not None:
            raise ServiceError("ResourceConflictException", f"Function already exist: {name}", 409)
        document = {
            "FunctionName": name,
            "FunctionArn": self._arn(name),
            "Timeout": 3,
            "MemorySize": 128,
            "PackageType": "Zip",
            "State": "Active",
            "LastUpdateStatus": "Successful",
            **_settings(given),
            **self._keep_code(name, given["Code"]),
        }
        return self._save(name, document)

    def _list(self) -> Document:
        return {"Functions": self._records.all(FUNCTION)}

    def _save(self, name: str, document: Document) -> Document:
        document = {
            **document,
            "LastModified": time.strftime("%Y-%m-%dT%H:%M:%S.000+0000", time.gmtime()),
            "RevisionId": secrets.token_hex(16),
            "Version": "$LATEST",
        }
        return self._records.change(FUNCTION, name, lambda old: document)

    def _keep_code(self, name: str, code: Mapping[str, Any]) -> Document:
        """Write the code to the store, as an object that programs' sources are known by."""
        if "ZipFile" in code:
            try:
                data = base64.b64decode(code["ZipFile"], validate=True)
            except (binascii.Error, TypeError):
                raise ServiceError("InvalidParameterValueException", "Code.ZipFile is not Base64.") from None
        elif "S3Key" in code:
            uri = f"s3://{code.get('S3Bucket')}/{code['S3Key']}"
            if not self._store.exists(uri):
                raise ServiceError(
                    "InvalidParameterValueException",
                    f"Error occurred while GetObject. S3 Error Code: NoSuchKey. {uri}",
                )
            with self._store.open(uri) as file:
                data = file.read()
        else:
            raise ServiceError(
                "InvalidParameterValueException", "Functions made from container images do not run here."
            )
        self._store.put(code_uri(name), data)
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        return {"CodeSize": len(data), "CodeSha256": digest}

    def _arn(self, name: str) -> str:
        return f"arn:aws:lambda:{self._region}:{self._account}:function:{name}"


def function_name(name_or_arn: str) -> str:
    """The bare name of a function, from its name, partial ARN or ARN, with or without a qualifier."""
    _, marker, rest = name_or_arn.rpartition("function:")
    return (rest if marker else name_or_arn).partition(":")[0]


def code_uri(name: str) -> str:
    return f"s3://{BUCKET}/{name}/code.zip"


def code_keys(path: str, body: bytes) -> tuple[str, ...]:
    """The key below BUCKET that a POST or PUT wrote code to; none for those that write no code."""
    found = _PATH.fullmatch(path)
    if found is None or found["part"] not in (None, "code"):
        return ()
    name = unquote(found["name"]) if found["name"] else str(_decoded(body).get("FunctionName", ""))
    return (f"{function_name(name)}/code.zip",)


def _settings(given: Mapping[str, Any]) -> Document:
    chosen = {name: given[name] for name in _SETTINGS if given.get(name) is not None}
    if "Layers" in chosen:
        chosen["Layers"] = [{"Arn": arn} for arn in chosen["Layers"]]
    return chosen


def _decoded(body: bytes) -> Mapping[str, Any]:
    try:
        value = msgspec.json.decode(body or b"{}")
    except msgspec.DecodeError:
        raise ServiceError("InvalidRequestContentException", "The request is not JSON.") from None
    return value if isinstance(value, dict) else {}
