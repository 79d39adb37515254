"""STS and IAM, as far as programs ask who they are: an assumed role that may do everything.

`get_execution_role()` wants an assumed-role ARN and turns it into a role by GetRole; SDK v3 simulates the
role's policy before it starts anything. All else of both services goes on to the fallback.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import parse_qsl

from .errors import request_id
from .http import Response
from .xml import escape

ROLE = "StepBridgeExecutionRole"
_SESSION_SECONDS = 12 * 3600


class Identity:
    """Answers of the query protocol for one account and one access key."""

    def __init__(self, account: str, access_key: str, secret_key: str) -> None:
        self._account = account
        self._access_key = access_key
        self._secret_key = secret_key
        self._answers: dict[tuple[str, str], Callable[[dict[str, str]], str]] = {
            ("sts", "GetCallerIdentity"): self._caller,
            ("sts", "AssumeRole"): self._assume_role,
            ("sts", "GetSessionToken"): lambda _: self._credentials(),
            ("sts", "GetAccessKeyInfo"): lambda _: f"<Account>{self._account}</Account>",
            ("iam", "GetRole"): self._get_role,
            ("iam", "SimulatePrincipalPolicy"): _simulate,
            ("iam", "ListAccountAliases"): lambda _: "<AccountAliases/><IsTruncated>false</IsTruncated>",
            ("iam", "ListAttachedRolePolicies"): _attached_policies,
        }

    @property
    def arn(self) -> str:
        return f"arn:aws:sts::{self._account}:assumed-role/{ROLE}/stepbridge"

    def answer(self, service: str, body: bytes) -> Response | None:
        """The answer to a form-encoded call; None where it is not ours."""
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        action = form.get("Action", "")
        build = self._answers.get((service, action))
        if build is None:
            return None
        version = "2011-06-15" if service == "sts" else "2010-05-08"
        identity = request_id()
        document = (
            f'<{action}Response xmlns="https://{service}.amazonaws.com/doc/{version}/">'
            f"<{action}Result>{build(form)}</{action}Result>"
            f"<ResponseMetadata><RequestId>{identity}</RequestId></ResponseMetadata></{action}Response>"
        )
        headers = {"Content-Type": "text/xml", "x-amzn-RequestId": identity}
        return Response(200, headers, document.encode())

    def _caller(self, form: dict[str, str]) -> str:
        return (
            f"<Arn>{self.arn}</Arn><UserId>AROASTEPBRIDGE000000:stepbridge</UserId>"
            f"<Account>{self._account}</Account>"
        )

    def _assume_role(self, form: dict[str, str]) -> str:
        role = escape(form.get("RoleArn", "").rpartition("/")[2] or ROLE)
        session = escape(form.get("RoleSessionName", "stepbridge"))
        arn = f"arn:aws:sts::{self._account}:assumed-role/{role}/{session}"
        return (
            f"{self._credentials()}<AssumedRoleUser><Arn>{arn}</Arn>"
            f"<AssumedRoleId>AROASTEPBRIDGE000000:{session}</AssumedRoleId></AssumedRoleUser>"
        )

    def _credentials(self) -> str:
        """The run's own credentials again: there is one identity here."""
        end = _iso(time.time() + _SESSION_SECONDS)
        return (
            f"<Credentials><AccessKeyId>{self._access_key}</AccessKeyId>"
            f"<SecretAccessKey>{self._secret_key}</SecretAccessKey>"
            f"<SessionToken>stepbridge</SessionToken><Expiration>{end}</Expiration></Credentials>"
        )

    def _get_role(self, form: dict[str, str]) -> str:
        name = escape(form.get("RoleName", ROLE))
        # the console makes SageMaker's own roles under this path, and SDK users see it in the ARN
        path = "/service-role/" if name.startswith("AmazonSageMaker-ExecutionRole") else "/"
        trust = escape(
            '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":'
            '"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
        )
        return (
            f"<Role><Path>{path}</Path><RoleName>{name}</RoleName><RoleId>AROASTEPBRIDGE000000</RoleId>"
            f"<Arn>arn:aws:iam::{self._account}:role{path}{name}</Arn><CreateDate>{_iso(0)}</CreateDate>"
            f"<AssumeRolePolicyDocument>{trust}</AssumeRolePolicyDocument>"
            "<MaxSessionDuration>43200</MaxSessionDuration></Role>"
        )


def _simulate(form: dict[str, str]) -> str:
    """Every action on every resource is allowed."""
    actions = [value for name, value in form.items() if name.startswith("ActionNames.member.")]
    resources = [value for name, value in form.items() if name.startswith("ResourceArns.member.")] or ["*"]
    results = "".join(
        f"<member><EvalActionName>{escape(action)}</EvalActionName>"
        f"<EvalResourceName>{escape(resource)}</EvalResourceName><EvalDecision>allowed</EvalDecision></member>"
        for action in actions
        for resource in resources
    )
    return f"<EvaluationResults>{results}</EvaluationResults><IsTruncated>false</IsTruncated>"


def _attached_policies(form: dict[str, str]) -> str:
    return (
        "<AttachedPolicies><member><PolicyName>AmazonSageMakerFullAccess</PolicyName>"
        "<PolicyArn>arn:aws:iam::aws:policy/AmazonSageMakerFullAccess</PolicyArn></member></AttachedPolicies>"
        "<IsTruncated>false</IsTruncated>"
    )


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
