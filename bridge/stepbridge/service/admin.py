"""Our own paths under `/_stepbridge/`: a registry of routes that other modules fill."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from msgspec import Struct

from stepbridge.errors import StepBridgeError

from .http import Request, Response

PREFIX = "/_stepbridge/"

AdminHandler = Callable[[Request, Mapping[str, str]], Response]


class _Route(Struct, frozen=True):
    method: str
    pattern: re.Pattern[str]
    handler: AdminHandler


class Routes:
    """Patterns like "GET /_stepbridge/runs/{run}/events"; `{name}` matches one path segment."""

    def __init__(self) -> None:
        self._routes: list[_Route] = []

    def add(self, pattern: str, handler: AdminHandler) -> None:
        method, _, path = pattern.partition(" ")
        if not path.startswith(PREFIX):
            raise ValueError(f"{pattern!r}: a route is 'METHOD {PREFIX}...'")
        literal = re.split(r"\{(\w+)\}", path)
        expression = "".join(
            f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(literal)
        )
        self._routes.append(_Route(method, re.compile(expression), handler))

    def answer(self, request: Request) -> Response:
        """Call the route's handler. A StepBridgeError of it becomes a JSON error with message and hint."""
        allowed = False
        for route in self._routes:
            found = route.pattern.fullmatch(request.path)
            if not found:
                continue
            if route.method == request.method:
                try:
                    return route.handler(request, found.groupdict())
                except StepBridgeError as error:
                    return error_answer(400, error.message, error.hint)
            allowed = True
        if allowed:
            return error_answer(405, f"{request.method} is not allowed at {request.path}.")
        return error_answer(404, f"There is nothing at {request.path}.")


def json_answer(value: object, status: int = 200) -> Response:
    return Response(status, {"Content-Type": "application/json"}, json.dumps(value).encode())


def error_answer(status: int, message: str, hint: str = "") -> Response:
    return json_answer({"message": message, "hint": hint}, status)
