"""What holds for container engines alone: adoption, isolation, an engine that goes away, Podman."""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from stepbridge.engines.base import ContainerSpec
from stepbridge.engines.docker import DockerEngine
from stepbridge.engines.docker_host import Address, candidates
from stepbridge.engines.docker_images import PullProgress
from stepbridge.errors import EngineError, ImageNotFoundError

from tests.support.docker_images import PYTHON

from .conftest import output, texts, unique, until
from .fake_engine import DOCKER_DESKTOP, PODMAN, FakeEngine, Relay

BRIDGE = {"IPAM": {"Config": [{"Subnet": "127.0.0.0/8", "Gateway": "127.0.0.1"}]}}


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    with tempfile.TemporaryDirectory(prefix="sb-", dir="/tmp") as folder:
        yield Path(folder)


def python(code: str, **fields: object) -> ContainerSpec:
    return ContainerSpec(unique("docker"), PYTHON, command=("python3", "-u", "-c", code), **fields)  # type: ignore[arg-type]


# -- isolation ---------------------------------------------------------------------------------------------


@pytest.mark.docker
async def test_without_a_network_nothing_is_reached_and_exec_still_works(docker: DockerEngine) -> None:
    code = "import os; print(os.listdir('/sys/class/net')); import time; time.sleep(600)"
    container = await docker.start(
        python(code, network="none", user="1234", read_only_root=True, hostname="algo-1")
    )
    try:
        await until(container, "['lo']")
        write = "open('/tmp/f', 'w').write('x'); print('tmp'); open('/f', 'w')"
        stream = await container.exec(("python3", "-c", write))
        assert await stream.reader.read(-1) == b"tmp\n"
        assert await stream.wait() == 1
        assert b"Read-only file system" in stream.stderr
    finally:
        await container.remove()


@pytest.mark.docker
async def test_too_much_memory_is_told_apart_from_a_kill(docker: DockerEngine) -> None:
    container = await docker.start(python("x = bytearray(10**9)", memory_bytes=48 << 20))
    try:
        status = await container.wait()
        assert status.code == 137
        assert status.out_of_memory
    finally:
        await container.remove()


@pytest.mark.docker
async def test_shared_memory_is_as_large_as_asked_for(docker: DockerEngine) -> None:
    code = "import os; s = os.statvfs('/dev/shm'); print(s.f_blocks * s.f_frsize)"
    container = await docker.start(python(code, shm_bytes=200 << 20))
    assert await texts(container) == [str(200 << 20)]
    await container.remove()


@pytest.mark.docker
async def test_a_gpu_that_is_not_there_is_said_so(docker: DockerEngine) -> None:
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    assert not await docker.has_gpus()
    with pytest.raises(EngineError) as error:
        await docker.start(python("", gpus=1))
    assert "NVIDIA" in error.value.hint


@pytest.mark.docker
async def test_two_containers_of_one_name_are_refused(docker: DockerEngine) -> None:
    spec = python("import time; time.sleep(600)")
    first = await docker.start(spec)
    try:
        with pytest.raises(EngineError, match=spec.name) as error:
            await docker.start(spec)
        assert "docker rm" in error.value.hint
    finally:
        await first.remove()


@pytest.mark.docker
async def test_an_empty_entry_point_takes_the_place_of_the_images(docker: DockerEngine) -> None:
    spec = ContainerSpec(unique("docker"), PYTHON, entrypoint=(), command=("echo", "plain"))
    container = await docker.start(spec)
    assert await texts(container) == ["plain"]
    await container.remove()


# -- a bridge that crashed ---------------------------------------------------------------------------------


@pytest.mark.docker
async def test_a_new_bridge_adopts_what_runs_and_reads_its_log_from_the_start(docker: DockerEngine) -> None:
    code = """
import sys, time
print("first")
print("complaint", file=sys.stderr)
sys.stdin.read()  # ends at once: no stdin
time.sleep(1)
print("last")
sys.exit(3)
"""
    run = unique("run")
    spec = python(
        code, labels={"stepbridge.run": run}, hostname="algo-1", workdir="/opt", environment={"A": "1"}
    )
    started = await docker.start(spec)
    await until(started, "first")
    other = await DockerEngine.connect()
    (adopted,) = await other.find({"stepbridge.run": run})
    assert adopted.id == started.id
    assert adopted.spec.labels["stepbridge.run"] == run
    assert adopted.spec.environment["A"] == "1"
    assert replace(adopted.spec, environment=spec.environment, labels=spec.labels) == spec
    lines = await output(adopted)
    assert [line.text for line in lines if line.stream == "stdout"] == ["first", "last"]
    assert [line.text for line in lines if line.stream == "stderr"] == ["complaint"]
    assert (await adopted.wait()).code == 3
    ended = (await other.find({"stepbridge.run": run}))[0]
    assert [line.text for line in await output(ended)] == [line.text for line in lines]
    assert (await ended.wait()).code == 3
    await ended.remove()


# -- an engine that goes away ------------------------------------------------------------------------------


@pytest.mark.docker
async def test_an_engine_that_dies_in_the_middle_is_named(
    docker: DockerEngine, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = Relay(candidates()[0].socket or "")
    monkeypatch.setenv("DOCKER_HOST", await relay.listen(short / "engine"))
    engine = await DockerEngine.connect()
    spec = python("import time; print('ready'); time.sleep(600)", labels={"stepbridge.run": unique("run")})
    container = await engine.start(spec)
    try:
        await until(container, "ready")
        stream = await container.exec(("cat",))
        waiting = asyncio.create_task(container.wait())
        await asyncio.sleep(0.1)
        await relay.cut()
        with pytest.raises(EngineError, match="went away"):
            await waiting
        assert await stream.reader.read(-1) == b""
        with pytest.raises(EngineError, match=str(short)):
            await stream.wait()
        assert [line async for line in container.lines()] == []
        with pytest.raises(EngineError, match=str(short)) as error:
            await engine.start(spec)
        assert "Start Docker" in error.value.hint
    finally:
        for left in await docker.find(spec.labels):
            await left.remove()


@pytest.mark.docker
async def test_a_container_that_somebody_removes_is_named(docker: DockerEngine) -> None:
    container = await docker.start(python("import time; time.sleep(600)"))
    await container.remove()
    with pytest.raises(EngineError, match="removed"):
        await container.wait()


async def test_no_engine_says_what_to_try(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{short}/nobody")
    with pytest.raises(EngineError, match=f"{short}/nobody") as error:
        await DockerEngine.connect()
    for advice in ("Start Docker", "DOCKER_HOST", "--engine process"):
        assert advice in error.value.hint


async def test_an_engine_that_hangs_is_given_up(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    server = await asyncio.start_unix_server(silent, short / "engine")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{short}/engine")
    async with server:
        with pytest.raises(EngineError, match="does not answer"):
            await DockerEngine.connect(timeout=0.2)


# -- other engines -----------------------------------------------------------------------------------------


async def test_podman_is_known_by_its_components(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeEngine({"GET /version": (200, PODMAN), "GET /networks/podman": (200, BRIDGE)})
    async with fake.serve(short / "engine") as url:
        monkeypatch.setenv("DOCKER_HOST", url)
        engine = await DockerEngine.connect()
    assert (engine.name, engine.version) == ("podman", "4.9.3")
    assert engine.host_address() == "127.0.0.1"
    assert any("/v1.41/" in request for request in fake.asked)


async def test_newer_engines_are_spoken_to_in_a_version_they_still_know(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = {"IPAM": {"Config": [{"Subnet": "192.0.2.128/28"}]}}  # in a virtual machine, not here
    fake = FakeEngine({"GET /version": (200, DOCKER_DESKTOP), "GET /networks/bridge": (200, gateway)})
    async with fake.serve(short / "engine") as url:
        monkeypatch.setenv("DOCKER_HOST", url)
        engine = await DockerEngine.connect()
    assert fake.asked[-1].startswith("GET /v1.47/networks/bridge")
    assert engine.host_address() == "127.0.0.1"
    assert engine.host_name() == "host.docker.internal"


# -- pull --------------------------------------------------------------------------------------------------


def pulling(status: int, body: object) -> FakeEngine:
    return FakeEngine(
        {
            "GET /version": (200, PODMAN),
            "GET /networks/podman": (200, BRIDGE),
            "POST /images/create": (status, body),
        }
    )


async def test_a_pull_tells_how_far_it_is_and_logs_in(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = pulling(
        200,
        [
            {"status": "Pulling from team/sklearn", "id": "1.2"},
            {
                "status": "Downloading",
                "id": "a",
                "progressDetail": {"current": 10_000_000, "total": 40_000_000},
            },
            {"status": "Download complete", "id": "a"},
            {
                "status": "Extracting",
                "id": "a",
                "progressDetail": {"current": 20_000_000, "total": 40_000_000},
            },
            {"status": "Pull complete", "id": "a"},
        ],
    )
    seen: list[tuple[str, float | None]] = []
    async with fake.serve(short / "engine") as url:
        monkeypatch.setenv("DOCKER_HOST", url)
        engine = await DockerEngine.connect()
        auth = {"username": "AWS", "password": "secret"}
        await engine.pull(
            "registry.test/team/sklearn:1.2", auth, lambda text, share: seen.append((text, share))
        )
    assert seen == [
        ("pulling", None),
        ("downloading 10 of 40 MB", 0.2),
        ("unpacking 40 of 40 MB", 0.8),
        ("unpacking 40 of 40 MB", 0.9),
        ("unpacking 40 of 40 MB", 1.0),
    ]
    sent = fake.headers[-1]["X-Registry-Auth"]
    assert json.loads(base64.urlsafe_b64decode(sent)) == auth
    assert "fromImage=registry.test%2Fteam%2Fsklearn%3A1.2" in fake.asked[-1]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"message": "pull access denied for team/x"}),
        (200, [{"status": "Pulling"}, {"error": "pull access denied for team/x", "errorDetail": {}}]),
    ],
)
async def test_a_refused_pull_names_image_and_reason(
    short: Path, monkeypatch: pytest.MonkeyPatch, status: int, body: object
) -> None:
    fake = pulling(status, body)
    monkeypatch.setenv("DOCKER_CONFIG", str(short))
    async with fake.serve(short / "engine") as url:
        monkeypatch.setenv("DOCKER_HOST", url)
        engine = await DockerEngine.connect()
        with pytest.raises(ImageNotFoundError, match=r"team/x.*pull access denied"):
            await engine.pull("team/x", None, lambda text, share: None)
    assert "fromImage=team%2Fx%3Alatest" in fake.asked[-1], "without a tag every tag would be fetched"
    assert "X-Registry-Auth" not in fake.headers[-1]


async def test_what_docker_login_stored_is_used(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = base64.b64encode(b"me:my-password").decode()
    (short / "config.json").write_text(json.dumps({"auths": {"registry.test": {"auth": stored}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(short))
    fake = pulling(200, [{"status": "Done"}])
    async with fake.serve(short / "engine") as url:
        monkeypatch.setenv("DOCKER_HOST", url)
        engine = await DockerEngine.connect()
        await engine.pull("registry.test/x", None, lambda text, share: None)
    sent = json.loads(base64.urlsafe_b64decode(fake.headers[-1]["X-Registry-Auth"]))
    assert (sent["username"], sent["password"]) == ("me", "my-password")


def test_progress_never_goes_back() -> None:
    progress = PullProgress()
    shares = []
    for layer in ("a", "b"):
        for current in (5, 10):
            detail = {"current": current * 1_000_000, "total": 10_000_000}
            message = {"status": "Downloading", "id": layer, "progressDetail": detail}
            shares.append(progress.add(message)[1] or 0.0)
    assert shares == sorted(shares)


# -- where engines are -------------------------------------------------------------------------------------


def test_docker_host_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:2376")
    monkeypatch.delenv("DOCKER_TLS_VERIFY", raising=False)
    assert candidates() == [Address("tcp://127.0.0.1:2376", host="127.0.0.1", port=2376)]


@pytest.mark.parametrize("url", ["ssh://me@far", "https://far:2376", "nonsense"])
def test_engines_that_cannot_see_our_files_are_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", url)
    with pytest.raises(EngineError, match=url):
        candidates()


def test_the_context_that_docker_uses_is_ours_too(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = "fe9c6bd7a66301f49ca9b6a70b217107cd1284598bfc254700c989b916da791e"  # sha256 of "desktop-linux"
    (short / "config.json").write_text(json.dumps({"currentContext": "desktop-linux"}))
    meta = short / "contexts" / "meta" / digest
    meta.mkdir(parents=True)
    host = "unix:///home/me/.docker/desktop/docker.sock"
    (meta / "meta.json").write_text(json.dumps({"Endpoints": {"docker": {"Host": host}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(short))
    assert [address.url for address in candidates()] == [host]
