"""SQS queues for parts of this process: where callback steps put their messages, not going by the wire.

The queues are moto's, as for every call of SQS at the endpoint: what is put here, a client receives there.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from stepbridge.errors import StepBridgeError

from .fallback import IMPORTING

_ADDRESS = re.compile(
    r"https?://(sqs\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?|[^/]+)/(\d{12}|queue)/"
    r"(?P<name>[A-Za-z0-9_-]{1,80}(\.fifo)?)"
)


class Queues:
    """The queues of this machine.

    Args:
        region: of queues whose address names none.
    """

    def __init__(self, region: str) -> None:
        self._region = region

    def send(self, url: str, body: str, group: str) -> None:
        """Put a message on a queue, which is made where it is missing. Blocking: moto is slow to import.

        Args:
            group: message group, for a FIFO queue.

        Raises:
            StepBridgeError: the address is no queue's.
        """
        found = _ADDRESS.fullmatch(url)
        if found is None:
            raise StepBridgeError(
                f"{url or 'an empty string'} is no address of an SQS queue",
                "It reads https://sqs.REGION.amazonaws.com/ACCOUNT/NAME.",
            )
        queues = _backend(found["region"] or self._region)
        name = found["name"]
        fifo = name.endswith(".fifo")
        if name not in queues.queues:
            queues.create_queue(name, **({"FifoQueue": "true"} if fifo else {}))
        digest = hashlib.sha256(body.encode()).hexdigest()
        given = {"group_id": group, "deduplication_id": digest} if fifo else {}
        queues.send_message(name, body, **given)


def _backend(region: str) -> Any:
    with IMPORTING:
        from moto.core.models import DEFAULT_ACCOUNT_ID  # whose queues clients of the endpoint see
        from moto.sqs.models import sqs_backends

    return sqs_backends[DEFAULT_ACCOUNT_ID][region]
