"""Which process is the step's script: command lines as they occur in SageMaker containers."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from stepbridge.debug.debugpy_cache import PAYLOAD
from stepbridge.debug.plan import DebugPlan, PathMapping, ScriptTarget, encode, to_local


@pytest.fixture(scope="module")
def payload() -> Iterator[ModuleType]:
    """The payload's package, imported into this interpreter: its judgement needs no container."""
    sys.path.insert(0, str(PAYLOAD))
    try:
        import stepbridge_payload.settings
        import stepbridge_payload.target

        yield stepbridge_payload
    finally:
        sys.path.remove(str(PAYLOAD))


def judged(payload: ModuleType, target: ScriptTarget, command: str) -> str | None:
    text = encode(DebugPlan("wait"), target, "unix:/x", "/opt/stepbridge/debugpy")
    settings = payload.settings.Settings(text)
    role: str | None = payload.target.role(settings, shlex.split(command))
    return role


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python3 train.py --epochs 2", ("file", "train.py", ["--epochs", "2"])),
        ("python3 -- train.py", ("file", "train.py", [])),
        ("python -u -Xdev -W ignore -B train.py", ("file", "train.py", [])),
        ("python -X dev -Wignore train.py", ("file", "train.py", [])),
        ("python --check-hash-based-pycs always train.py", ("file", "train.py", [])),
        ("python -um pkg.mod -x", ("module", "pkg.mod", ["-x"])),
        ("python -mpkg.mod", ("module", "pkg.mod", [])),
        ("python -Bc print(1) train.py", ("code", "print(1)", ["train.py"])),
        ("python -", ("", "", [])),
        ("python", ("", "", [])),
        ("python -V", ("", "", [])),
    ],
)
def test_the_interpreters_command_line_is_read_as_the_interpreter_does(
    payload: ModuleType, command: str, expected: tuple[str, str, list[str]]
) -> None:
    assert payload.target.parse(shlex.split(command)) == expected


TRAIN = ScriptTarget(files=("train.py", "/opt/ml/processing/input/code/prep.py"), modules=("pkg.mod",))


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("/usr/bin/python3 -- train.py --epochs 2", "script"),
        ("/usr/bin/python3 /opt/ml/code/train.py", "script"),
        ("python /opt/ml/processing/input/code/prep.py", "script"),
        ("python -m pkg.mod", "script"),
        ("python -m mpi4py train.py", "script"),
        ("python -m cProfile -o out train.py", "script"),
        ("/usr/bin/python /usr/local/bin/train", None),  # the training toolkit itself
        ("/usr/bin/python -m pip install -r requirements.txt", None),
        ("/usr/bin/python /usr/local/bin/torchrun train.py", None),  # a launcher: its workers are meant
        ("python -c print(1)", None),
        ("python -c 'from multiprocessing.spawn import spawn_main; spawn_main()'", "user"),
        ("python -c 'from multiprocessing.resource_tracker import main'", None),
        ("python /opt/stepbridge/debugpy/1.8.22/debugpy/_vendored/pydevd/pydevd.py --file train.py", None),
        ("python /usr/lib/python3/site-packages/other/retrain.py", None),
    ],
)
def test_the_steps_script_is_told_from_everything_around_it(
    payload: ModuleType, command: str, expected: str | None
) -> None:
    assert judged(payload, TRAIN, command) == expected


def test_other_code_below_the_prefixes_is_the_users_but_never_waits(
    payload: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__main__.py").touch()
    monkeypatch.chdir(tmp_path)
    named = ScriptTarget(files=("train.py",), prefixes=(str(tmp_path),))
    assert judged(payload, named, "python helper.py") == "user"
    assert judged(payload, named, "python -m pkg") == "user"
    assert judged(payload, named, "python /somewhere/else.py") is None
    unnamed = ScriptTarget(prefixes=(str(tmp_path),))
    assert judged(payload, unnamed, "python helper.py") == "script"
    assert judged(payload, unnamed, f"python {tmp_path}/lib/site-packages/x.py") is None


def test_settings_survive_the_environment(payload: ModuleType) -> None:
    plan = DebugPlan("arm", post_mortem=True, stop_on_entry=True, wait_seconds=1.5, post_mortem_seconds=7)
    target = ScriptTarget(files=("a;b=c%3B.py", "ä ö.py"), modules=("m",), prefixes=("/p/",))
    read = payload.settings.Settings(encode(plan, target, "unix:/run/s", "/d"))
    assert (read.mode, read.post_mortem, read.stop_on_entry) == ("arm", 7.0, True)
    assert (read.wait_seconds, read.control, read.debugpy) == (1.5, "unix:/run/s", "/d")
    assert (read.files, read.modules, read.prefixes) == (["a;b=c%3B.py", "ä ö.py"], ["m"], ["/p"])


def test_a_container_path_finds_its_local_file_by_the_longest_mapping() -> None:
    mappings = (
        PathMapping(Path("/w/src"), "/opt/ml/code"),
        PathMapping(Path("/w/lib"), "/opt/ml/code/lib"),
        PathMapping(Path("/w/one.py"), "/opt/ml/processing/one.py"),
    )
    assert to_local(mappings, "/opt/ml/code/train.py") == Path("/w/src/train.py")
    assert to_local(mappings, "/opt/ml/code/lib/a.py") == Path("/w/lib/a.py")
    assert to_local(mappings, "/opt/ml/code/library.py") == Path("/w/src/library.py")
    assert to_local(mappings, "/opt/ml/processing/one.py") == Path("/w/one.py")
    assert to_local(mappings, "/usr/lib/x.py") is None
    with pytest.raises(ValueError, match="absolute"):
        PathMapping(Path("src"), "/opt/ml/code")
