"""Which local image stands for the image URI of a job.

Order: the user's map (`[images]`), a local image of that very name, a pull from ECR where real credentials
exist. Otherwise one error that names the three things that help.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from msgspec import Struct

from stepbridge.engines.base import Engine, ImageConfig
from stepbridge.errors import ImageNotFoundError

ECR = re.compile(r"^(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/")

Login = Callable[[str, str], Mapping[str, str] | None]
"""(account, region) -> user name and password for the registry, None where there are no AWS credentials."""


class LocalImage(Struct, frozen=True):
    reference: str
    config: ImageConfig


async def resolve_image(
    uri: str,
    engine: Engine,
    image_for: Callable[[str], str | None],
    login: Login,
    progress: Callable[[str, float | None], None],
) -> LocalImage:
    """The local image for `uri`. image_for: the user's map.

    Raises:
        ImageNotFoundError: there is none and none can be had.
    """
    found = await find_image(uri, engine, image_for)
    if found is None:
        if (mapped := _mapped(uri, engine, image_for)) is not None:
            raise ImageNotFoundError(
                f"{uri} is mapped to {mapped}, which is not on this machine",
                f"Build or pull {mapped}, or change [images] in stepbridge.toml.",
            )
        await _pull(uri, engine, login, progress)
        found = await find_image(uri, engine, image_for)
    if found is None:
        raise _advice(uri)
    return found


async def find_image(uri: str, engine: Engine, image_for: Callable[[str], str | None]) -> LocalImage | None:
    """The local image for `uri`, where there is one by now; nothing is fetched."""
    reference = _mapped(uri, engine, image_for) or uri
    config = await engine.image(reference)
    return LocalImage(reference, config) if config else None


def _mapped(uri: str, engine: Engine, image_for: Callable[[str], str | None]) -> str | None:
    """What the user's map says; it names container images."""
    return None if engine.name == "process" else image_for(uri)


async def _pull(
    uri: str, engine: Engine, login: Login, progress: Callable[[str, float | None], None]
) -> None:
    registry = ECR.match(uri)
    auth = login(registry["account"], registry["region"]) if registry else None
    if registry and auth is None:
        raise _advice(uri)
    try:
        await engine.pull(uri, auth, progress)
    except ImageNotFoundError:
        raise _advice(uri) from None


def _advice(uri: str) -> ImageNotFoundError:
    return ImageNotFoundError(
        f"There is no image {uri} on this machine",
        "One of three things helps: map it to a local image ([images] in stepbridge.toml), build one "
        "(stepbridge image build), or give AWS credentials that may pull it (ecr:GetAuthorizationToken).",
    )
