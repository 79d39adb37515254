"""A Lambda step becomes a container that calls the function's handler once.

The contract (documentation of AWS Lambda, "Python"): code at /var/task, `handler(event, context)`, the
function's environment and time limit. Knows no registry: the function comes as GetFunction describes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stepbridge.engines.base import ContainerSpec, Mount
from stepbridge.errors import StepBridgeError

from .plan import PAYLOAD_TARGET, CodeMapping, JobContext, JobPlan, container_name, writable

TASK = "/var/task"
CALL = "/opt/stepbridge-call"
RESULT = "result.json"
_RUNNER = f"{PAYLOAD_TARGET}/invoke.py"


def image_of(function: Mapping[str, Any]) -> str:
    """The image in which functions of that runtime run: AWS's own.

    Raises:
        StepBridgeError: it is no Python function.
    """
    runtime = str(function.get("Runtime", ""))
    if not runtime.startswith("python3."):
        raise StepBridgeError(
            f"Function {function['FunctionName']} has the runtime {runtime or 'of a container image'}; "
            "Python functions run on this machine",
            "Give the step's outputs in [stubs].",
        )
    return f"public.ecr.aws/lambda/python:{runtime.removeprefix('python')}"


def plan_function(
    function: Mapping[str, Any], code: str, event: Mapping[str, Any], context: JobContext
) -> JobPlan:
    """The container that calls the function.

    Args:
        code: URI of its zip.
        event: what the handler gets.

    Raises:
        StorageError: the code is not there, or is no archive.
    """
    folder = context.folder / "algo-1"
    task = writable(folder / "task")
    found = context.sources.unpack(code, task)
    call = writable(folder / "call")
    given = {
        "handler": function.get("Handler", ""),
        "event": dict(event),
        "name": function["FunctionName"],
        "arn": function["FunctionArn"],
        "memory": function.get("MemorySize", 128),
        "timeout": function.get("Timeout", 3),
        "request": context.name,
    }
    (call / "call.json").write_text(json.dumps(given), "utf-8")
    variables = (function.get("Environment") or {}).get("Variables") or {}
    spec = ContainerSpec(
        name=container_name(context, "algo-1"),
        image=context.image,
        entrypoint=("python3", _RUNNER),
        command=(),
        environment={
            **context.environment,
            "AWS_LAMBDA_FUNCTION_NAME": str(function["FunctionName"]),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "LAMBDA_TASK_ROOT": TASK,
            "_HANDLER": str(function.get("Handler", "")),
            **variables,
        },
        mounts=(
            Mount(task, TASK),
            Mount(call, CALL),
            Mount(context.payload, PAYLOAD_TARGET, read_only=True),
        ),
        workdir=TASK,
        hostname="algo-1",
        labels={**context.labels, "stepbridge.host": "algo-1"},
    )
    return JobPlan(
        containers=(spec,),
        outputs=(),
        failure_files={},
        time_limit=float(function.get("Timeout", 3)),
        scripts=(_RUNNER,),
        code=tuple(CodeMapping(item.local, f"{TASK}/{item.remote}") for item in found or ()),
    )
