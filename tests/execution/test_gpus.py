"""GPUs of this machine for the steps whose instance type has some."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from stepbridge.engines.docker_spec import create_body
from stepbridge.events import Notice, RunStatus

from tests.support.fake_engine import FakeContainer

from .conftest import Lab, definition, processing


async def done(container: FakeContainer) -> int:
    return 0


def on(instance_type: str) -> dict[str, Any]:
    step = processing("Fit")
    step["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceType"] = instance_type
    return step


@pytest.mark.parametrize(
    ("instance_type", "has_some", "setting", "gpus", "noted"),
    [
        ("ml.g4dn.xlarge", True, "auto", -1, False),
        ("ml.g4dn.xlarge", False, "auto", 0, True),
        ("ml.g4dn.xlarge", False, "all", -1, False),
        ("ml.g4dn.xlarge", True, "none", 0, False),
        ("ml.m5.large", True, "all", 0, False),
    ],
)
async def test_a_step_gets_what_its_instance_type_has(
    tmp_path: Path,
    instance_type: str,
    has_some: bool,
    setting: Literal["auto", "all", "none"],
    gpus: int,
    noted: bool,
) -> None:
    it = Lab(tmp_path, {"Fit": done}, setting)
    it.engine.gpus = has_some
    record = await it.run(definition(on(instance_type)))
    assert record.status is RunStatus.SUCCEEDED, record.failure
    (container,) = it.engine.started
    assert container.spec.gpus == gpus
    told = [event.message for event in it.events if isinstance(event, Notice)]
    assert any("instance type has GPUs" in message for message in told) is noted
    asked = create_body(container.spec, None)["HostConfig"].get("DeviceRequests")
    assert asked == ([{"Count": -1, "Capabilities": [["gpu"]]}] if gpus else None)
