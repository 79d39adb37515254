"""Real-time endpoints: models that are served until somebody deletes their endpoint.

Each production variant is a job of its own, whose client says when it is ready and then waits for ever. All
changes happen on the loop; the service's threads ask, and send invocations straight to the containers.
Endpoints live as long as the bridge: nothing of them outlasts it. `service.backend.Serving` is the protocol.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from stepbridge.errors import StepBridgeError
from stepbridge.jobs.model_client import PING_LIMIT, Invocation, broken, invoke
from stepbridge.jobs.multi_model import LoadedModels
from stepbridge.jobs.serving import Model, plan_endpoint, read_model

from .execution import RunServices
from .job_runner import JobOrder, JobOutcome, describe_error
from .steps.transform import with_packages

# SDKs look at a new endpoint at once and then every 30 seconds: an answer that comes when the model is
# loaded saves them the wait.
_PATIENCE = 15.0  # seconds that create() gives the model
_TARGET = "x-amzn-sagemaker-target-variant"
_CONTAINER = "x-amzn-sagemaker-target-container-hostname"
_MODEL = "x-amzn-sagemaker-target-model"
_INVOKED = "x-amzn-invoked-production-variant"


class _Variant(Struct):
    """A model of an endpoint. ports: where its containers answer; none before all are ready."""

    described: Mapping[str, Any]  # of the endpoint configuration
    model: Model
    job: str
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    ports: tuple[int, ...] = ()
    models: LoadedModels | None = None
    task: asyncio.Task[JobOutcome] | None = None

    @property
    def name(self) -> str:
        return str(self.described["VariantName"])

    @property
    def weight(self) -> float:
        return float(self.described.get("InitialVariantWeight", 1.0))

    def is_ready(self, ports: tuple[int, ...], models: LoadedModels | None) -> None:
        """Also when the servers were started again."""
        self.ports, self.models = ports, models
        self.ready.set()

    def route(self, container: str | None) -> dict[str, int]:
        """Container -> port, in the order in which a request goes through them.

        container: the one that the request names.

        Raises:
            StepBridgeError: it names none where it must, or one that is not there.
        """
        ports = dict(zip(self.model.hosts, self.ports, strict=True))
        if not self.model.direct:
            return ports
        if container not in ports:
            raise StepBridgeError(
                f"Model {self.model.model_name} has Mode Direct and no container {container!r}"
                if container
                else f"Model {self.model.model_name} has Mode Direct: the request must name a container",
                f"Set TargetContainerHostname to one of {', '.join(ports)}.",
            )
        return {container: ports[container]}

    def ask(self, route: Mapping[str, int], body: bytes, headers: Mapping[str, str]) -> Invocation:
        """Raises StepBridgeError where the request names no model and must; OSError or HTTPException."""
        ports = tuple(route.values())
        if self.models is None:
            return invoke(ports, body, headers)
        if not headers.get(_MODEL):
            raise StepBridgeError(
                f"Model {self.model.model_name} has Mode MultiModel: the request must name a model",
                "Set TargetModel to the path of an archive below its ModelDataUrl.",
            )
        return self.models.invoke(ports[0], headers[_MODEL], body, headers)


class _Deployment(Struct):
    """One configuration, running."""

    config: Mapping[str, Any]
    variants: tuple[_Variant, ...]


class _Endpoint(Struct):
    name: str
    arn: str
    created: float
    modified: float
    status: str
    live: _Deployment
    failure: str = ""
    generations: int = 1
    following: _Deployment | None = None  # what an update is about to put in place
    update: asyncio.Task[None] | None = None

    def set(self, status: str, failure: str = "") -> None:
        self.status, self.failure, self.modified = status, failure, time.time()


class Endpoints:
    """The endpoints of one bridge.

    Args:
        prepare: called before a model starts: the program's sources are known then.
    """

    def __init__(
        self, services: RunServices, loop: asyncio.AbstractEventLoop, prepare: Callable[[], None]
    ) -> None:
        self._services = services
        self._loop = loop
        self._prepare = prepare
        self._endpoints: dict[str, _Endpoint] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # the service's threads

    def create(self, name: str, config: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]]) -> None:
        """Start to serve; returns when the models are loaded, or after a while all the same.

        Raises:
            StepBridgeError: a model cannot be served on this machine.
        """
        self._prepare()
        read = self._read(models)
        begun = asyncio.run_coroutine_threadsafe(self._create(name, config, read), self._loop)
        try:
            begun.result(_PATIENCE)
        except FutureTimeoutError:
            return

    def update(self, name: str, config: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]]) -> None:
        """Serve another configuration; the earlier one answers until it is ready."""
        self._prepare()
        read = self._read(models)
        asyncio.run_coroutine_threadsafe(self._update(name, config, read), self._loop).result()

    def delete(self, name: str) -> None:
        """Returns when its containers are gone."""
        asyncio.run_coroutine_threadsafe(self._delete(name), self._loop).result()

    def describe(self, name: str) -> Mapping[str, Any] | None:
        """DescribeEndpoint's response."""
        found = self._endpoints.get(name)
        return _described(found) if found else None

    def all(self) -> Sequence[Mapping[str, Any]]:
        return [_described(endpoint) for endpoint in list(self._endpoints.values())]

    def invoke(self, name: str, body: Iterator[bytes], headers: Mapping[str, str]) -> Invocation:
        """Send one request to a model of the endpoint; its answer is read as the caller takes it.

        Raises:
            StepBridgeError: the endpoint is not in service, or the server broke the connection.
        """
        variant = self._variant(name, headers.get(_TARGET))
        route = variant.route(headers.get(_CONTAINER))
        try:
            answer = variant.ask(route, b"".join(body), headers)
        except broken() as error:
            raise StepBridgeError(
                f"Endpoint {name}: the model server broke the connection ({error!r})",
                "Its log says more: see the endpoint's folder below .stepbridge/runs.",
            ) from None
        said_by = list(route)[answer.container] if len(variant.ports) > 1 else "primary"
        return replace(answer, headers={**answer.headers, _INVOKED: variant.name}, said_by=said_by)

    def _variant(self, name: str, target: str | None) -> _Variant:
        endpoint = self._endpoints.get(name)
        if endpoint is None or endpoint.status not in ("InService", "Updating"):
            status = endpoint.status if endpoint else "gone"
            raise StepBridgeError(f"Endpoint {name} is not in service: it is {status}")
        variants = endpoint.live.variants
        if target:
            for variant in variants:
                if variant.name == target:
                    return variant
            raise StepBridgeError(f"Endpoint {name} has no variant {target}")
        weights = [variant.weight for variant in variants]
        return random.choices(variants, weights if any(weights) else None)[0]

    # the loop

    async def updated(self, name: str) -> None:
        """Returns when no update of the endpoint is under way."""
        endpoint = self._endpoints.get(name)
        if endpoint is not None and endpoint.update is not None:
            await asyncio.wait((endpoint.update,))

    async def close(self) -> None:
        """Stop all that is served."""
        await asyncio.gather(*(self._delete(name) for name in list(self._endpoints)))

    async def _create(self, name: str, config: Mapping[str, Any], models: Mapping[str, Model]) -> None:
        now = time.time()
        live = self._deployment(name, config, models, 0)
        arn = self._services.arns.resource("endpoint", name)
        endpoint = _Endpoint(name, arn, now, now, "Creating", live)
        self._endpoints[name] = endpoint
        failure = await self._deploy(live, name)
        if self._endpoints.get(name) is endpoint:
            endpoint.set("Failed" if failure else "InService", failure)
        if failure:
            await self._stop(live)
        else:
            self._spawn(self._watch(endpoint, live))

    async def _update(self, name: str, config: Mapping[str, Any], models: Mapping[str, Model]) -> None:
        endpoint = self._endpoints[name]
        following = self._deployment(name, config, models, endpoint.generations)
        endpoint.generations += 1
        endpoint.set("Updating")
        endpoint.following = following
        endpoint.update = self._spawn(self._replace(endpoint, following))

    async def _replace(self, endpoint: _Endpoint, following: _Deployment) -> None:
        """The service keeps the earlier configuration where the new one does not come up."""
        failure = await self._deploy(following, endpoint.name)
        gone = self._endpoints.get(endpoint.name) is not endpoint
        if failure or gone:
            await self._stop(following)
            if not gone:
                endpoint.set("InService", failure)
            return
        earlier, endpoint.live = endpoint.live, following
        endpoint.set("InService")
        self._spawn(self._watch(endpoint, following))
        await self._stop(earlier)

    async def _delete(self, name: str) -> None:
        endpoint = self._endpoints.pop(name, None)
        if endpoint is not None:
            await self._stop(endpoint.live)
            if endpoint.update is not None and endpoint.following is not None:
                await self._stop(endpoint.following)
                await asyncio.wait((endpoint.update,))

    async def _deploy(self, deployment: _Deployment, name: str) -> str:
        """Start every variant; returns when all are ready: "", or why one is not."""
        for variant in deployment.variants:
            order = self._order(variant, name)
            variant.task = asyncio.create_task(self._run(order))
        failures = await asyncio.gather(*(_first(variant) for variant in deployment.variants))
        return next((failure for failure in failures if failure), "")

    async def _watch(self, endpoint: _Endpoint, deployment: _Deployment) -> None:
        """A model server that ends by itself takes its endpoint out of service."""
        tasks = [variant.task for variant in deployment.variants if variant.task]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        failed = self._endpoints.get(endpoint.name) is endpoint and endpoint.live is deployment
        if failed:
            endpoint.set("Failed", next(iter(done)).result().failure or "The model server was stopped.")

    async def _run(self, order: JobOrder) -> JobOutcome:
        try:
            return await self._services.jobs.run(order)
        except StepBridgeError as error:
            return JobOutcome("Failed", describe_error(error), -1, {}, 0.0, 0.0)

    async def _stop(self, deployment: _Deployment) -> None:
        names = {variant.job for variant in deployment.variants}
        running = [job for job in self._services.jobs.running.values() if job.order.name in names]
        await asyncio.gather(*(job.stop(0.0) for job in running))
        tasks = [variant.task for variant in deployment.variants if variant.task]
        if tasks:
            await asyncio.wait(tasks)

    def _order(self, variant: _Variant, name: str) -> JobOrder:
        limit = variant.described.get("ContainerStartupHealthCheckTimeoutInSeconds")
        planner = partial(plan_endpoint, variant.model, variant.is_ready, float(limit or PING_LIMIT))
        return JobOrder(
            kind="endpoint",
            name=variant.job,
            arn=self._services.arns.resource("endpoint", name),
            run=name,
            step=variant.job,
            request=variant.described,
            images=variant.model.images,
            planner=planner,
            folder=self._services.runs / variant.job,
        )

    def _deployment(
        self, name: str, config: Mapping[str, Any], models: Mapping[str, Model], generation: int
    ) -> _Deployment:
        described = config["ProductionVariants"]
        plain = generation == 0 and len(described) == 1
        variants = (
            _Variant(one, models[one["ModelName"]], name if plain else _job(name, one, generation))
            for one in described
        )
        return _Deployment(config, tuple(variants))

    def _read(self, models: Mapping[str, Mapping[str, Any]]) -> dict[str, Model]:
        registry = self._services.registry
        read = {name: read_model(with_packages(registry, one)) for name, one in models.items()}
        for model in read.values():
            _ = model.served  # refuses what cannot be served
        return read

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _first(variant: _Variant) -> str:
    """ "" when the variant is ready; why it ended, where it does that first."""
    assert variant.task is not None
    ready = asyncio.create_task(variant.ready.wait())
    try:
        await asyncio.wait((ready, variant.task), return_when=asyncio.FIRST_COMPLETED)
    finally:
        ready.cancel()
    if variant.task.done():
        return variant.task.result().failure or "The model server was stopped before it was ready."
    return ""


def _job(name: str, variant: Mapping[str, Any], generation: int) -> str:
    return f"{name}-{variant['VariantName']}-{generation}"


def _described(endpoint: _Endpoint) -> dict[str, Any]:
    described = {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "EndpointConfigName": endpoint.live.config["EndpointConfigName"],
        "EndpointStatus": endpoint.status,
        "CreationTime": endpoint.created,
        "LastModifiedTime": endpoint.modified,
        "ProductionVariants": [_variant_summary(variant, endpoint) for variant in endpoint.live.variants],
    }
    return {**described, "FailureReason": endpoint.failure} if endpoint.failure else described


def _variant_summary(variant: _Variant, endpoint: _Endpoint) -> dict[str, Any]:
    count = int(variant.described.get("InitialInstanceCount", 1))
    return {
        "VariantName": variant.name,
        "DeployedImages": [
            {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": endpoint.created}
            for image in variant.model.images
        ],
        "CurrentWeight": variant.weight,
        "DesiredWeight": variant.weight,
        "CurrentInstanceCount": count,
        "DesiredInstanceCount": count,
    }
