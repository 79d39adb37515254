"""Rules on credentials in the program (P165)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stepbridge_lsp.positions import Span
from stepbridge_lsp.values import text_of

from .context import Context
from .findings import Report
from .registry import rule

_ACCESS_KEY = re.compile(rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b")
_EXAMPLES = (b"EXAMPLE",)
_SECRETS = ("aws_secret_access_key", "aws_session_token")


@rule(
    "P165",
    "warning",
    "Credentials in the program",
    example='boto3.Session(aws_access_key_id="AKIA...", aws_secret_access_key="...")',
    source="D: what a definition holds can be read by anyone who may describe the pipeline",
    moment="never",
)
def credentials(context: Context) -> Iterator[Report]:
    """Access keys belong into a profile, the environment or a secrets manager, not into a program."""
    source = context.source if b"AKIA" in context.source or b"ASIA" in context.source else b""
    for match in _ACCESS_KEY.finditer(source):
        if not match[0].endswith(_EXAMPLES):
            span = Span(context.model.document, match.start(), match.end())
            yield Report("An access key stands in the program.", span)
    for call in context.model.foreign_calls:
        if not call.name.startswith("boto3."):
            continue
        for name in _SECRETS:
            argument = call.argument(name)
            text = text_of(argument.value) if argument is not None else None
            if argument is not None and text is not None and len(text) >= 16 and "EXAMPLE" not in text:
                yield Report("A secret key stands in the program.", argument.span)
