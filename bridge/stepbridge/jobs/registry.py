"""Credentials for ECR, from the user's own AWS credentials, where there are any."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any


def ecr_login(account: str, region: str) -> Mapping[str, str] | None:
    """User name and password for an account's registry; None where nobody may ask (no credentials).

    Asks ecr:GetAuthorizationToken. Blocking; called only when an image has to be pulled.
    """
    import botocore.exceptions
    import botocore.session

    session = botocore.session.get_session()
    if session.get_credentials() is None:
        return None
    client: Any = session.create_client("ecr", region_name=region)
    try:
        answer = client.get_authorization_token(registryIds=[account])
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
        return None
    token = base64.b64decode(answer["authorizationData"][0]["authorizationToken"]).decode()
    username, _, password = token.partition(":")
    return {"username": username, "password": password}
