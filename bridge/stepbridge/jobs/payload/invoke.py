"""Calls the handler of a Lambda function once: runs inside the container, Python 3.6 and up.

Reads call.json, writes result.json beside it. Standard library only; what the handler prints and raises is
its own.
"""

import importlib
import json
import os
import sys
import time

CALL = "/opt/stepbridge-call"


class Context:
    """What a handler may ask about its call (documentation of AWS Lambda, "context object")."""

    function_version = "$LATEST"
    identity = None
    client_context = None

    def __init__(self, call):
        self.function_name = call["name"]
        self.invoked_function_arn = call["arn"]
        self.memory_limit_in_mb = str(call["memory"])
        self.aws_request_id = call["request"]
        self.log_group_name = "/aws/lambda/" + call["name"]
        self.log_stream_name = call["request"]
        self._end = time.time() + float(call["timeout"])

    def get_remaining_time_in_millis(self):
        return max(int((self._end - time.time()) * 1000), 0)


def handler_of(name):
    """The function that `module.function` or `folder/module.function` names."""
    module, _, function = name.rpartition(".")
    if not module:
        raise ValueError("the handler %r does not name a module and a function" % name)
    return getattr(importlib.import_module(module.replace("/", ".")), function)


def main():
    with open(os.path.join(CALL, "call.json")) as file:
        call = json.load(file)
    sys.path.insert(0, os.environ.get("LAMBDA_TASK_ROOT", os.getcwd()))
    result = handler_of(call["handler"])(call["event"], Context(call))
    with open(os.path.join(CALL, "result.json"), "w") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
