"""`stepbridge image build`: the Dockerfile that it writes, and a build without any network."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import tomllib
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from stepbridge.engines.base import ImageConfig
from stepbridge.engines.docker import DockerEngine
from stepbridge.errors import ConfigurationError, EngineError
from stepbridge.jobs.image_build import FRAMEWORKS, TOOLKIT, BuiltImage, Framework, build_image, dockerfile

from tests.support.docker_images import PYTHON, missing

TINY = Framework("tiny", ("tiny-framework",), ("*/sagemaker-tiny:*",))


def make_wheel(folder: Path, name: str, code: str, script: str = "") -> None:
    """A wheel of one module, whose main() may be a program `script`."""
    module = name.replace("-", "_")
    info = f"{module}-1.0.dist-info"
    files = {
        f"{module}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if script:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{script} = {module}:main\n"
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text.encode())}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{module}-1.0-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def config(user: str = "") -> ImageConfig:
    return ImageConfig("sha256:1", (), (), {}, "/", user)


def test_the_user_of_the_base_image_comes_back() -> None:
    text = dockerfile(FRAMEWORKS["sklearn"], "team/base:1", config(user="1000:1000"))
    assert text.rindex("USER 1000:1000") > text.rindex("install.sh")
    assert dockerfile(TINY, "team/base:1", config()).count("USER") == 2
    assert text.count("FROM team/base:1") == 2


def test_each_framework_says_which_images_it_stands_for() -> None:
    assert set(FRAMEWORKS) == {"sklearn", "xgboost", "pytorch"}
    for framework in FRAMEWORKS.values():
        lines = BuiltImage("mine:1", "sha256:1", True, framework).settings
        assert set(tomllib.loads(lines)["images"].values()) == {"mine:1"}


@pytest.fixture
async def engine() -> AsyncIterator[DockerEngine]:
    if reason := missing(PYTHON):
        pytest.skip(reason)
    engine = await DockerEngine.connect()
    yield engine
    await engine.close()


@pytest.fixture
def tag(tmp_path: Path) -> Iterator[str]:
    name = f"stepbridge-test/built-{hashlib.sha256(bytes(tmp_path)).hexdigest()[:8]}:latest"
    yield name
    subprocess.run(["docker", "rmi", "-f", name], capture_output=True, check=False)
    prune = ["docker", "image", "prune", "-f", "--filter", "label=stepbridge.framework=tiny"]
    subprocess.run(prune, capture_output=True, check=False)


def run(tag: str, *command: str) -> str:
    return subprocess.run(
        ["docker", "run", "--rm", "--network", "none", tag, *command],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.docker
async def test_an_offline_build_has_framework_toolkit_and_requirements(
    engine: DockerEngine, tag: str, tmp_path: Path
) -> None:
    wheels = tmp_path / "wheels"
    make_wheel(wheels, "tiny-framework", "answer = 42")
    make_wheel(wheels, "more-of-it", "")
    make_wheel(wheels, TOOLKIT, "def main(): print('training')", script="train")
    (tmp_path / "requirements.txt").write_text("more-of-it\n")
    lines: list[str] = []
    built = await build_image(
        engine,
        TINY,
        PYTHON,
        tag=tag,
        requirements=(str(tmp_path / "requirements.txt"),),
        wheels=wheels,
        output=lines.append,
    )
    assert built.toolkit
    assert any("Successfully installed" in line for line in lines)
    image = await engine.image(tag)
    assert image is not None
    assert image.id == built.id
    code = "import tiny_framework, more_of_it; print(tiny_framework.answer)"
    assert run(tag, "python", "-c", code) == "42\n"
    assert run(tag, "train") == "training\n"


@pytest.mark.docker
async def test_an_image_without_the_toolkit_is_an_image(
    engine: DockerEngine, tag: str, tmp_path: Path
) -> None:
    make_wheel(tmp_path / "wheels", "tiny-framework", "answer = 43")
    built = await build_image(
        engine, TINY, PYTHON, tag=tag, wheels=tmp_path / "wheels", output=lambda line: None
    )
    assert not built.toolkit
    assert run(tag, "python", "-c", "import tiny_framework; print(tiny_framework.answer)") == "43\n"


@pytest.mark.docker
async def test_a_missing_wheel_is_named(engine: DockerEngine, tag: str, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    make_wheel(wheels, "other", "")
    with pytest.raises(EngineError, match="tiny-framework") as error:
        await build_image(engine, TINY, PYTHON, tag=tag, wheels=wheels, output=lambda line: None)
    assert str(wheels) in error.value.hint
    assert await engine.image(tag) is None


@pytest.mark.docker
async def test_what_is_not_there_is_said_before_anything_is_built(
    engine: DockerEngine, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match="no wheels"):
        await build_image(engine, TINY, PYTHON, wheels=tmp_path / "empty", output=print)
    with pytest.raises(ConfigurationError, match=r"requirements-gpu\.txt"):
        await build_image(engine, TINY, PYTHON, requirements=("requirements-gpu.txt",), output=print)
