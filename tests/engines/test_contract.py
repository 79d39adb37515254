"""What the protocol of engines/base.py promises, on real containers and real local processes."""

from __future__ import annotations

import asyncio
import fcntl
import http.client
import os
import socket
import time
from pathlib import Path

import pytest
from msgspec.structs import replace
from stepbridge.engines.base import Engine, ExitStatus, Mount
from stepbridge.errors import EngineError, ImageNotFoundError

from .conftest import Python, output, texts, unique, until

SLEEP = "import time; print('ready'); time.sleep(600)"


async def test_lines_come_in_order_and_streams_stay_apart(engine: Engine, python: Python) -> None:
    code = """
import sys, time
for number in range(3):
    print("out", number)
    time.sleep(0.05)
    print("err", number, file=sys.stderr)
    time.sleep(0.05)
"""
    container = await engine.start(python(code))
    lines = [(line.stream, line.text) for line in await output(container)]
    assert lines == [
        (stream, f"{stream[3:]} {number}") for number in range(3) for stream in ("stdout", "stderr")
    ]
    assert await container.wait() == ExitStatus(0)


async def test_progress_bars_odd_bytes_and_an_unfinished_line_are_lines(
    engine: Engine, python: Python
) -> None:
    code = r"import sys; sys.stdout.buffer.write(b'10%\r20%\rdone\r\n\xff\xc3\xa4\n\nno end')"
    container = await engine.start(python(code))
    assert await texts(container) == ["10%", "20%", "done", "\ufffdä", "", "no end"]


async def test_not_one_of_a_hundred_thousand_lines_is_lost(engine: Engine, python: Python) -> None:
    code = """
import sys, threading
def say(stream):
    for number in range(50_000):
        stream.write(f"{number} {'x' * (number % 100)}\\n")
    stream.flush()
threads = [threading.Thread(target=say, args=(stream,)) for stream in (sys.stdout, sys.stderr)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""
    container = await engine.start(python(code))
    lines = await output(container)
    expected = [f"{number} {'x' * (number % 100)}" for number in range(50_000)]
    for stream in ("stdout", "stderr"):
        assert [line.text for line in lines if line.stream == stream] == expected
    assert (await container.wait()).code == 0


async def test_a_container_that_nobody_reads_still_ends(engine: Engine, python: Python) -> None:
    container = await engine.start(python("for number in range(200_000): print(number)"))
    async with asyncio.timeout(60):
        assert (await container.wait()).code == 0
    lines = await texts(container)
    assert lines[-1] == "199999"
    assert len(lines) < 50_000, "what nobody reads must not pile up in memory"


@pytest.mark.parametrize("code", [0, 1, 42, 255])
async def test_exit_codes(engine: Engine, python: Python, code: int) -> None:
    container = await engine.start(python(f"raise SystemExit({code})"))
    assert await container.wait() == ExitStatus(code)


async def test_a_signal_ends_it_with_128_and_its_number(engine: Engine, python: Python) -> None:
    container = await engine.start(python(SLEEP))
    await until(container, "ready")
    await container.kill("KILL")
    assert await container.wait() == ExitStatus(137, out_of_memory=False)


async def test_a_signal_reaches_the_first_process(engine: Engine, python: Python) -> None:
    code = """
import signal, sys
signal.signal(signal.SIGUSR2, lambda *_: (print("got it"), sys.exit(7)))
print("ready")
while True: signal.pause()
"""
    container = await engine.start(python(code))
    await until(container, "ready")
    await container.kill("USR2")
    assert await texts(container) == ["got it"]
    assert (await container.wait()).code == 7


async def test_several_may_wait_and_one_may_give_up(engine: Engine, python: Python) -> None:
    container = await engine.start(python(SLEEP))
    waiting = [asyncio.create_task(container.wait()) for _ in range(3)]
    await until(container, "ready")
    waiting[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    await container.stop(0)
    assert {(await task).code for task in waiting[1:]} == {137}
    assert (await container.wait()).code == 137


async def test_stop_lets_the_program_finish_within_its_grace(engine: Engine, python: Python) -> None:
    code = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: (print("saved"), sys.exit(0)))
print("ready")
while True: signal.pause()
"""
    container = await engine.start(python(code))
    await until(container, "ready")
    await container.stop(30)
    assert await texts(container) == ["saved"]
    assert await container.wait() == ExitStatus(0)


async def test_stop_kills_what_outlives_its_grace(engine: Engine, python: Python) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); time.sleep(600)"
    )
    container = await engine.start(python(code))
    await until(container, "ready")
    started = time.monotonic()
    await container.stop(0.5)
    assert 0.5 <= time.monotonic() - started < 15
    assert (await container.wait()).code == 137


async def test_everything_may_be_called_after_the_end(engine: Engine, python: Python) -> None:
    container = await engine.start(python("pass"))
    await container.wait()
    await container.kill()
    await container.stop()
    with pytest.raises(EngineError, match="has ended"):
        await container.exec(("true",))
    await container.remove()
    await container.kill()
    await container.stop(0.1)
    await container.remove()
    assert (await container.wait()).code == 0


async def test_exec_carries_five_megabytes_of_any_bytes_both_ways(engine: Engine, python: Python) -> None:
    container = await engine.start(python(SLEEP))
    code = "import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"
    stream = await container.exec(("python3", "-c", code))
    sent = os.urandom(5_000_000)

    async def send() -> None:
        for start in range(0, len(sent), 300_000):
            await stream.write(sent[start : start + 300_000])
        await stream.write_eof()

    sending = asyncio.create_task(send())
    received = await stream.reader.read(-1)
    await sending
    assert received == sent
    assert await stream.wait() == 0


async def test_exec_answers_at_once(engine: Engine, python: Python) -> None:
    """The debugger's messages go through it: a round trip must not wait for a buffer to fill."""
    container = await engine.start(python(SLEEP))
    stream = await container.exec(("cat",))
    async with asyncio.timeout(20):
        for number in range(200):
            await stream.write(b"%d\n" % number)
            assert await stream.reader.readline() == b"%d\n" % number
    await stream.close()


async def test_exec_says_how_it_ended(engine: Engine, python: Python) -> None:
    container = await engine.start(python(SLEEP))
    stream = await container.exec(("python3", "-c", "import sys; print('out'); sys.exit('sorry')"))
    assert await stream.reader.read(-1) == b"out\n"
    assert await stream.wait() == 1
    assert bytes(stream.stderr) == b"sorry\n"
    absent = await container.exec(("no-such-program",))
    assert await absent.reader.read(-1) == b""
    assert await absent.wait() in (126, 127)
    assert b"no-such-program" in absent.stderr


async def test_exec_stands_where_the_step_stands(engine: Engine, python: Python, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("seen")
    spec = python(
        SLEEP, environment={"COLOUR": "blue"}, hostname="algo-1", mounts=(Mount(tmp_path, "/opt/ml/model"),)
    )
    container = await engine.start(spec)
    code = """
import os, socket
print(open("/opt/ml/model/file").read(), os.environ["COLOUR"], socket.gethostname())
"""
    stream = await container.exec(("python3", "-c", code))
    assert await stream.reader.read(-1) == b"seen blue algo-1\n", bytes(stream.stderr)


async def test_an_exec_ends_with_its_container(engine: Engine, python: Python) -> None:
    container = await engine.start(python(SLEEP))
    stream = await container.exec(("cat",))
    await stream.write(b"x")
    assert await stream.reader.readexactly(1) == b"x"
    await container.stop(0)
    async with asyncio.timeout(20):
        assert await stream.reader.read(-1) == b""
        assert await stream.wait() != 0
    with pytest.raises(EngineError):
        await stream.write(b"x")


async def test_mounts_are_the_very_files(engine: Engine, python: Python, tmp_path: Path) -> None:
    data, model, script = tmp_path / "data", tmp_path / "model", tmp_path / "script.py"
    data.mkdir()
    model.mkdir()
    (data / "a.csv").write_text("1,2")
    script.write_text("print('from the script')")
    code = """
import errno, pathlib, runpy
runpy.run_path("/opt/ml/code/script.py")
pathlib.Path("/opt/ml/model/weights").write_text(pathlib.Path("/opt/ml/input/data/train/a.csv").read_text())
for path in ("/opt/ml/input/data/train/new", "/opt/ml/input/data/train/a.csv"):
    try:
        open(path, "w")
    except OSError as error:
        print(errno.errorcode[error.errno])
pathlib.Path("/opt/ml/elsewhere").write_text("not of this machine")
pathlib.Path("/deep/down").mkdir(exist_ok=True)
print(pathlib.Path("/deep/down/below/f").read_text())
"""
    mounts = (
        Mount(data, "/opt/ml/input/data/train", read_only=True),
        Mount(model, "/opt/ml/model"),
        Mount(script, "/opt/ml/code/script.py", read_only=True),
        Mount(data / "a.csv", "/deep/down/below/f"),
    )
    container = await engine.start(python(code, mounts=mounts))
    assert await texts(container) == ["from the script", "EROFS", "EROFS", "1,2"]
    assert (await container.wait()).code == 0
    assert (model / "weights").read_text() == "1,2"
    assert sorted(item.name for item in data.iterdir()) == ["a.csv"]
    assert not Path("/opt/ml/elsewhere").exists()
    assert not Path("/deep").exists()


async def test_environment_folder_and_entry_point(engine: Engine, python: Python) -> None:
    code = "import os, sys; print(os.environ['A'], os.getcwd(), sys.argv[1:])"
    spec = python(code, environment={"A": "b=c\td"}, workdir="/opt/ml/code")
    spec = replace(spec, entrypoint=spec.command, command=("--lr", "0.1 0.2"))
    container = await engine.start(spec)
    assert await texts(container) == ["b=c\td /opt/ml/code ['--lr', '0.1 0.2']"]


async def test_secrets_of_this_machine_stay_here(
    engine: Engine, python: Python, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    container = await engine.start(python("import os; print('AWS_SECRET_ACCESS_KEY' in os.environ)"))
    assert await texts(container) == ["False"]


async def test_its_own_names_lead_to_itself(engine: Engine, python: Python) -> None:
    """The training toolkit looks its host up for minutes before it starts."""
    container = await engine.start(
        python("import socket; print(socket.gethostbyname('algo-1'))", hostname="algo-1")
    )
    assert len(await texts(container)) == 1
    assert (await container.wait()).code == 0


async def test_another_user(engine: Engine, python: Python, tmp_path: Path) -> None:
    if engine.name == "process" and os.geteuid() != 0:
        pytest.skip("only root may become another user without containers")
    code = "import os; print(os.getuid(), os.getgid(), os.getgroups() in ([], [4321]))"
    # without containers the interpreter is this machine's, which the other user may not be able to read
    spec = python(code, user="1234:4321")
    if engine.name == "process":
        spec = replace(spec, command=("/bin/sh", "-c", "echo $(id -u) $(id -g) True"))
    container = await engine.start(spec)
    assert await texts(container) == ["1234 4321 True"]


async def test_containers_of_one_network_find_each_other(engine: Engine, python: Python) -> None:
    network = unique("network")
    await engine.network(network)
    await engine.network(network)  # there already: fine
    serve = """
import socket
server = socket.create_server(("", 0))
print(server.getsockname()[1])
connection, _ = server.accept()
connection.sendall(b"hello")
connection.close()
"""
    ask = "import socket, sys; print(socket.create_connection(('algo-1', int(sys.argv[1]))).recv(5).decode())"
    try:
        first = await engine.start(python(serve, network=network, hostname="algo-1", aliases=("algo-1",)))
        lines = first.lines()
        port = (await anext(lines)).text
        second = await engine.start(
            python(ask, port, network=network, hostname="algo-2", aliases=("algo-2",))
        )
        assert await texts(second) == ["hello"]
        await first.wait()
        await first.remove()
        await second.remove()
    finally:
        await engine.remove_network(network)
    await engine.remove_network(network)  # gone already: fine


async def test_a_server_on_the_host_address_is_reached_by_name(engine: Engine, python: Python) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(answer, engine.host_address(), 0)
    code = """
import socket, sys
print(socket.create_connection((sys.argv[1], int(sys.argv[2])), 10).recv(5).decode())
"""
    port = str(server.sockets[0].getsockname()[1])
    async with server:
        container = await engine.start(python(code, engine.host_name(), port))
        assert await texts(container) == ["hello"]


async def test_published_ports_answer_on_loopback(engine: Engine, python: Python) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    code = """
import http.server, sys
class Pong(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()
server = http.server.HTTPServer(("", int(sys.argv[1])), Pong)
print("ready")
server.serve_forever()
"""
    container = await engine.start(python(code, str(port), ports={port: 0}))
    await until(container, "ready")
    connection = http.client.HTTPConnection("127.0.0.1", container.published(port), timeout=10)
    await asyncio.to_thread(connection.request, "GET", "/ping")
    assert connection.getresponse().status == 204
    connection.close()
    with pytest.raises(EngineError, match="publishes no port"):
        container.published(1)


async def test_labels_find_what_they_name(engine: Engine, python: Python) -> None:
    run = unique("run")
    first = await engine.start(python(SLEEP, labels={"stepbridge.run": run, "stepbridge.step": "A"}))
    second = await engine.start(python("pass", labels={"stepbridge.run": run, "stepbridge.step": "B"}))
    await second.wait()
    found = await engine.find({"stepbridge.run": run})
    assert {item.id for item in found} == {first.id, second.id}
    (only,) = await engine.find({"stepbridge.run": run, "stepbridge.step": "A"})
    assert only.spec.name == first.spec.name
    assert only.spec.labels["stepbridge.step"] == "A"
    await only.stop(0)
    await first.remove()
    await second.remove()
    assert await engine.find({"stepbridge.run": run}) == []


async def test_nothing_outlives_the_first_process(engine: Engine, python: Python, tmp_path: Path) -> None:
    """A daemon that left its session and ignores signals ends with its step."""
    code = r"""
import os, signal, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        lock = open("/opt/ml/model/lock", "w")
        import fcntl
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.write(1, b"daemon is up\n")
        time.sleep(600)
    os._exit(0)
time.sleep(600)
"""
    container = await engine.start(python(code, mounts=(Mount(tmp_path, "/opt/ml/model"),)))
    await until(container, "daemon is up")
    await container.stop(0)
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where somebody still holds it


async def test_twenty_starts_and_ends_leave_nothing(engine: Engine, python: Python, tmp_path: Path) -> None:
    async def once(number: int) -> None:
        container = await engine.start(python(SLEEP, mounts=(Mount(tmp_path, "/opt/ml/model"),)))
        if number % 2:
            await until(container, "ready")
        await container.stop(0)
        await container.remove()

    await once(1)  # what is made once stays
    before = _traces(tmp_path)
    for start in range(0, 20, 4):
        await asyncio.gather(*(once(number) for number in range(start, start + 4)))
    labels = python("").labels
    assert await engine.find(labels) == []
    assert _traces(tmp_path) == before


async def test_a_cancelled_start_leaves_nothing(engine: Engine, python: Python, tmp_path: Path) -> None:
    labels = python("").labels
    await (await engine.start(python(""))).remove()  # what is made once stays
    before = _traces(tmp_path)
    for delay in (0.0, 0.002, 0.01, 0.05, 0.1):
        starting = asyncio.create_task(engine.start(python(SLEEP)))
        await asyncio.sleep(delay)
        starting.cancel()
        try:
            await (await starting).remove()
        except asyncio.CancelledError:
            pass
    assert await engine.find(labels) == []
    assert _traces(tmp_path) == before


async def test_errors_of_a_start_name_the_cause(engine: Engine, python: Python, tmp_path: Path) -> None:
    labels = python("").labels
    with pytest.raises(EngineError, match="no-such-program") as absent:
        await engine.start(replace(python(""), command=("no-such-program",)))
    assert "no such program" in absent.value.hint
    with pytest.raises(ImageNotFoundError, match=r"python:/no/such/image"):
        await engine.start(replace(python(""), image="python:/no/such/image"))
    with pytest.raises(EngineError, match="/no/such/folder"):
        await engine.start(python("", mounts=(Mount(Path("/no/such/folder"), "/opt/ml/model"),)))
    assert await engine.find(labels) == []


async def test_images_tell_what_they_start(engine: Engine, python: Python) -> None:
    image = await engine.image(python("").image)
    assert image is not None
    assert image.id.startswith("sha256:")
    assert image.command == ("python3",)
    assert image.workdir == "/"
    assert "PATH" in image.environment
    assert await engine.image("python:/no/such/image") is None


def _traces(folder: Path) -> tuple[int, int, list[str], list[str]]:
    """What a careless engine piles up: children, open files, mounts, folders."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    left = sorted(str(item) for item in folder.rglob("*"))
    own = [line for line in mounts if str(folder) in line]
    return len(children), len(list(Path("/proc/self/fd").iterdir())), own, left
