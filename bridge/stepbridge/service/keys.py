"""The keys that requests to the endpoint carry: whoever has none of them is refused."""

from __future__ import annotations

import secrets

from msgspec import Struct


class Keys(Struct, frozen=True):
    """Random, new for every bridge."""

    program: str
    container: str
    secret: str
    admin: str

    @classmethod
    def new(cls) -> Keys:
        return cls(
            program="ASIA" + secrets.token_hex(8).upper(),
            container="ASIA" + secrets.token_hex(8).upper(),
            secret=secrets.token_urlsafe(30),
            admin=secrets.token_urlsafe(24),
        )
