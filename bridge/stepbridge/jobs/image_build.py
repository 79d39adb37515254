"""Script-mode images for a framework, from a base image that the user names (`stepbridge image build`).

The result has the framework's packages and, where it is to be had, the training toolkit of the managed
images (its wheel needs a C compiler: a stage of its own makes it). Without the toolkit the image serves as
well: jobs then run scripts by script_mode.py. Generates a Dockerfile and its context; the engine builds.
Knows no step.
"""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from stepbridge.engines.base import ImageConfig
from stepbridge.engines.docker import DockerEngine
from stepbridge.errors import ConfigurationError, EngineError, ImageNotFoundError

TOOLKIT = "sagemaker-training"
WITH_TOOLKIT = "stepbridge: with the training toolkit"
WITHOUT_TOOLKIT = "stepbridge: without the training toolkit"
FOLDER = "/opt/stepbridge-build"
# Docker keeps these build arguments out of the image's history.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


class Framework(Struct, frozen=True):
    """What an image of a framework holds, and which managed images it stands for."""

    name: str
    packages: tuple[str, ...]
    images: tuple[str, ...]  # globs of image URIs, for [images]


_COMMON = ("boto3", "joblib", "numpy", "pandas", "scipy")

FRAMEWORKS = {
    framework.name: framework
    for framework in (
        Framework("sklearn", (*_COMMON, "scikit-learn"), ("*/sagemaker-scikit-learn:*",)),
        # xgboost itself brings 200 MB for GPUs
        Framework("xgboost", (*_COMMON, "scikit-learn", "xgboost-cpu"), ("*/sagemaker-xgboost:*",)),
        # torch brings GPUs' libraries, unless an index of builds for CPUs is named (`extra_index`)
        Framework("pytorch", (*_COMMON, "torch"), ("*/pytorch-training:*", "*/pytorch-inference:*")),
    )
}


class BuiltImage(Struct, frozen=True):
    tag: str
    id: str
    toolkit: bool  # it has the training toolkit
    framework: Framework

    @property
    def settings(self) -> str:
        """The lines for stepbridge.toml that put it in the place of the managed images."""
        return "\n".join(["[images]", *(f'"{glob}" = "{self.tag}"' for glob in self.framework.images)])


async def build_image(
    engine: DockerEngine,
    framework: Framework,
    base: str,
    *,
    tag: str | None = None,
    requirements: Sequence[str] = (),
    wheels: Path | None = None,
    extra_index: str = "",
    output: Callable[[str], None],
) -> BuiltImage:
    """Build the image `tag` (default: stepbridge/<framework>:latest) on `base`, pulled where missing.

    Args:
        framework: one of FRAMEWORKS.
        requirements: more packages: requirement files, or requirements themselves ("lightgbm>=4").
        wheels: a folder of wheels to install from, without any network.
        extra_index: URL of a further package index, for instance one with builds for CPUs only.
        output: called with each line that the build prints.

    Raises:
        ImageNotFoundError: there is no base image.
        ConfigurationError: a requirement file or a wheel is missing.
        EngineError: a command of the build failed.
    """
    tag = tag or f"stepbridge/{framework.name}:latest"
    config = await _base(engine, base, output)
    files = {
        "Dockerfile": dockerfile(framework, base, config),
        "requirements.txt": _requirements(framework, requirements),
        "toolkit.sh": _SCRIPT_HEAD + _source(wheels, extra_index) + _TOOLKIT_SCRIPT,
        "install.sh": _SCRIPT_HEAD + _source(wheels, extra_index) + _INSTALL_SCRIPT,
    }
    lines: list[str] = []

    def keep(line: str) -> None:
        lines.append(line)
        output(line)

    with tempfile.TemporaryDirectory(prefix="stepbridge-") as folder:
        context = Path(folder) / "context.tar"
        _write_context(context, files, _wheel_files(wheels))
        proxies = {name: os.environ[name] for name in PROXIES if name in os.environ}
        try:
            identity = await engine.build(context, tag, proxies, keep)
        except EngineError as error:
            raise _explained(error, lines, wheels) from None
    return BuiltImage(tag, identity, WITH_TOOLKIT in lines, framework)


def dockerfile(framework: Framework, base: str, config: ImageConfig) -> str:
    """The recipe; its context has requirements.txt, toolkit.sh, install.sh and, offline, wheels/."""
    user = f"USER {config.user}\n" if config.user else ""
    return f"""\
# A script-mode image for {framework.name}, made by: stepbridge image build {framework.name} --base {base}
FROM {base} AS toolkit
LABEL stepbridge.framework={framework.name}
USER root
COPY . {FOLDER}
RUN sh {FOLDER}/toolkit.sh

FROM {base}
LABEL stepbridge.framework={framework.name}
USER root
COPY --from=toolkit {FOLDER} {FOLDER}
RUN sh {FOLDER}/install.sh
{user}ENTRYPOINT []
"""


_SCRIPT_HEAD = f"""\
cd {FOLDER}
export PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_CACHE_DIR=1
export PIP_DISABLE_PIP_VERSION_CHECK=1 DEBIAN_FRONTEND=noninteractive
command -v python3 >/dev/null || {{ echo "stepbridge: the base image has no python3"; exit 1; }}
python3 -m pip --version >/dev/null 2>&1 || python3 -m ensurepip >/dev/null || exit 1
"""

# A failure here is no failure of the build.
_TOOLKIT_SCRIPT = f"""\
mkdir -p toolkit
wheel() {{ python3 -m pip wheel --no-deps $source -w toolkit {TOOLKIT}; }}
wheel && exit 0
[ -z "$offline" ] && command -v apt-get >/dev/null || exit 0
apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev python3-dev && wheel
exit 0
"""

_INSTALL_SCRIPT = f"""\
set -e
python3 -m pip install $source -r requirements.txt
command -v python >/dev/null || ln -s "$(command -v python3)" /usr/local/bin/python
if ls toolkit/*.whl >/dev/null 2>&1 && python3 -m pip install $source toolkit/*.whl; then
    echo "{WITH_TOOLKIT}"
else
    echo "{WITHOUT_TOOLKIT}"
fi
rm -rf {FOLDER}
"""


def _source(wheels: Path | None, extra_index: str) -> str:
    """Where pip takes packages from, as variables of the scripts."""
    if wheels is not None:
        return 'source="--no-index --find-links wheels" offline=yes\n'
    index = f"--extra-index-url {extra_index}" if extra_index else ""
    return f'source="{index}" offline=""\n'


def _requirements(framework: Framework, more: Iterable[str]) -> str:
    lines = list(framework.packages)
    for item in more:
        file = Path(item)
        if file.is_file():
            lines += file.read_text("utf-8").splitlines()
        elif item.endswith(".txt") or "/" in item.split("@")[0]:
            raise ConfigurationError(f"There is no requirement file {item}", "Give its path from here.")
        else:
            lines.append(item)
    return "\n".join(lines) + "\n"


def _wheel_files(wheels: Path | None) -> list[Path]:
    if wheels is None:
        return []
    found = sorted([*wheels.glob("*.whl"), *wheels.glob("*.tar.gz")])
    if not found:
        raise ConfigurationError(
            f"There are no wheels in {wheels}", "Make some: pip wheel -w FOLDER PACKAGE ..."
        )
    return found


def _write_context(context: Path, files: dict[str, str], wheels: list[Path]) -> None:
    with tarfile.open(context, "w") as tar:
        for name, text in files.items():
            content = text.encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for wheel in wheels:
            tar.add(wheel, f"wheels/{wheel.name}")


async def _base(engine: DockerEngine, base: str, output: Callable[[str], None]) -> ImageConfig:
    config = await engine.image(base)
    if config is None:
        await engine.pull(base, None, lambda text, share: output(f"{base}: {text}"))
        config = await engine.image(base)
    if config is None:
        raise ImageNotFoundError(f"There is no image {base}", "Name one that is here, or that can be pulled.")
    return config


def _explained(error: EngineError, lines: list[str], wheels: Path | None) -> EngineError:
    said = "\n".join(lines)
    if "has no python3" in said:
        hint = "Name a base image that has Python, such as python:3.11-slim."
    elif "No matching distribution" in said and wheels is not None:
        hint = f"Add what is missing to {wheels}: pip wheel -w {wheels} PACKAGE, with the image's Python."
    elif "No matching distribution" in said:
        hint = "The name or version is unknown, or the build has no network; --wheels FOLDER needs none."
    else:
        hint = error.hint
    return EngineError(error.message, hint)
