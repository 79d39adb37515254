"""Endpoints: what the service's threads see of models that start, answer, change and fail."""

from __future__ import annotations

import asyncio
import http.server
import io
import tarfile
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from stepbridge.engines.base import Container, ContainerSpec
from stepbridge.errors import StepBridgeError
from stepbridge.execution.serving import Endpoints

from tests.support.fake_engine import FakeContainer, FakeEngine

IMAGE = "image"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the model's name and what it was sent."""

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(self.server.answer + b":" + body)  # type: ignore[attr-defined]

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        return None


class Server(FakeContainer):
    """A container whose HTTP server really listens; it ends at once where its model is named "broken"."""

    def __init__(self, spec: ContainerSpec) -> None:
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.answer = spec.environment["NAME"].encode()  # type: ignore[attr-defined]
        super().__init__(spec, Server._serve)

    async def _serve(self: Any) -> int:
        if self.spec.environment["NAME"] == "broken":
            self._http.server_close()
            self.say("Traceback (most recent call last):", "stderr")
            self.say('  File "/opt/ml/model/code/inference.py", line 3, in model_fn', "stderr")
            self.say("KeyError: 'weights'", "stderr")
            return 1
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        try:
            await asyncio.Event().wait()
        finally:
            self._http.shutdown()
            self._http.server_close()
        return 0

    def published(self, port: int) -> int:
        return int(self._http.server_address[1])


class ServingEngine(FakeEngine):
    async def start(self, spec: ContainerSpec) -> Container:
        if spec.environment["NAME"] == "late":
            await asyncio.sleep(0.5)
        container = Server(spec)
        self.started.append(container)
        return container


def model(name: str) -> Mapping[str, Any]:
    container = {"Image": IMAGE, "ModelDataUrl": "s3://bucket/model.tar.gz", "Environment": {"NAME": name}}
    return {"ModelName": name, "PrimaryContainer": container}


def pipeline(*names: str) -> Mapping[str, Any]:
    """A model of several containers."""
    return {"ModelName": "p", "Containers": [model(name)["PrimaryContainer"] for name in names]}


def config(*models: str) -> Mapping[str, Any]:
    variants = [
        {"VariantName": f"v-{name}", "ModelName": name, "InitialVariantWeight": 1.0} for name in models
    ]
    return {"EndpointConfigName": f"config-{'-'.join(models)}", "ProductionVariants": variants}


@pytest.fixture
async def endpoints(lab: Any) -> tuple[Endpoints, ServingEngine]:
    laboratory = lab()
    laboratory.engine = ServingEngine({})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz"):
        pass
    laboratory.store.put("s3://bucket/model.tar.gz", buffer.getvalue())
    services = laboratory.executions._services
    return Endpoints(services, asyncio.get_running_loop(), lambda: None), laboratory.engine


def ask(endpoints: Endpoints, name: str = "e", **headers: str) -> str:
    given = {key.replace("_", "-"): value for key, value in headers.items()}
    return b"".join(endpoints.invoke(name, iter([b"x"]), given).body).decode()


async def test_a_model_is_served_until_its_endpoint_is_deleted(endpoints):
    serving, engine = endpoints
    await asyncio.to_thread(serving.create, "e", config("m"), {"m": model("m")})
    described = serving.describe("e")
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "config-m")
    assert await asyncio.to_thread(ask, serving) == "m:x"
    await asyncio.to_thread(serving.delete, "e")
    assert serving.describe("e") is None
    assert all(container.removed for container in engine.started)
    with pytest.raises(StepBridgeError, match="not in service"):
        ask(serving)


async def test_a_variant_is_chosen_by_name(endpoints):
    serving, _ = endpoints
    await asyncio.to_thread(serving.create, "e", config("m", "n"), {"m": model("m"), "n": model("n")})
    for name in ("m", "n"):
        header = {"x_amzn_sagemaker_target_variant": f"v-{name}"}
        assert await asyncio.to_thread(ask, serving, **header) == f"{name}:x"
    await serving.close()


async def test_a_model_that_does_not_start_fails_its_endpoint_with_the_reason(endpoints):
    serving, engine = endpoints
    await asyncio.to_thread(serving.create, "e", config("broken"), {"broken": model("broken")})
    described = serving.describe("e")
    assert described["EndpointStatus"] == "Failed"
    assert "KeyError: 'weights' (inference.py:3" in described["FailureReason"]
    await serving.close()
    assert all(container.removed for container in engine.started)


async def until_updated(serving: Endpoints) -> Mapping[str, Any]:
    async with asyncio.timeout(30):
        await serving.updated("e")
    described = serving.describe("e")
    assert described is not None
    return described


async def test_an_update_changes_the_model(endpoints):
    serving, _ = endpoints
    await asyncio.to_thread(serving.create, "e", config("m"), {"m": model("m")})
    await asyncio.to_thread(serving.update, "e", config("n"), {"n": model("n")})
    assert (await until_updated(serving))["EndpointConfigName"] == "config-n"
    assert await asyncio.to_thread(ask, serving) == "n:x"
    await serving.close()


async def test_an_update_that_fails_leaves_the_earlier_model_in_service(endpoints):
    serving, _ = endpoints
    await asyncio.to_thread(serving.create, "e", config("m"), {"m": model("m")})
    await asyncio.to_thread(serving.update, "e", config("broken"), {"broken": model("broken")})
    described = await until_updated(serving)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "config-m")
    assert "KeyError" in described["FailureReason"]
    assert await asyncio.to_thread(ask, serving) == "m:x"
    await serving.close()


async def test_a_request_goes_through_a_pipeline_of_containers(endpoints):
    serving, engine = endpoints
    await asyncio.to_thread(serving.create, "e", config("p"), {"p": pipeline("a", "b", "c")})
    described = serving.describe("e")
    assert described["EndpointStatus"] == "InService"
    assert len(described["ProductionVariants"][0]["DeployedImages"]) == 3
    assert await asyncio.to_thread(ask, serving) == "c:b:a:x"
    (network,) = {container.spec.network for container in engine.started}
    assert network is not None
    assert network.startswith("stepbridge-e-")
    await asyncio.to_thread(serving.delete, "e")
    assert all(container.removed for container in engine.started)
    assert engine.networks == set()


@pytest.mark.parametrize("names", [("broken", "good"), ("good", "broken"), ("good", "broken", "late")])
async def test_a_container_that_ends_ends_the_others_and_is_named(endpoints, names):
    serving, engine = endpoints
    await asyncio.to_thread(serving.create, "e", config("p"), {"p": pipeline(*names)})
    described = serving.describe("e")
    assert described["EndpointStatus"] == "Failed"
    assert f"on container-{names.index('broken') + 1}" in described["FailureReason"]
    assert "KeyError: 'weights'" in described["FailureReason"]
    assert all(container.removed for container in engine.started)


async def test_containers_of_mode_direct_are_asked_one_by_one(endpoints):
    serving, _ = endpoints
    direct = {**pipeline("a", "b"), "InferenceExecutionConfig": {"Mode": "Direct"}}
    await asyncio.to_thread(serving.create, "e", config("p"), {"p": direct})
    name = {"x_amzn_sagemaker_target_container_hostname": "container-2"}
    assert await asyncio.to_thread(ask, serving, **name) == "b:x"
    with pytest.raises(StepBridgeError, match="must name a container"):
        ask(serving)
    await asyncio.to_thread(serving.delete, "e")
