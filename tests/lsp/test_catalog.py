"""The catalog of the SDK's classes, and that it is that of the SDK which is installed here."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from stepbridge_lsp.catalog import SdkClass, catalog, framework

ROOT = Path(__file__).resolve().parents[2]


def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("builder", ROOT / "scripts" / "build_sdk_catalog.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["builder"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_catalog_is_that_of_the_installed_sdk() -> None:
    found = importlib.util.find_spec("sagemaker")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the SageMaker Python SDK is not installed")
    site = Path(next(iter(found.submodule_search_locations))).parent
    build = builder()
    version = build._version(site)
    if not version.startswith("2."):
        pytest.skip(f"SDK {version} is installed; the catalog can be compared with v2 only")
    if version != catalog("v2").version:
        pytest.skip(f"SDK {version} is installed; the catalog is of {catalog('v2').version}")
    made, _ = build.describe(build.Sdk(site, build.RELEVANT_V2), version)
    path = ROOT / "lsp" / "stepbridge_lsp" / "catalog" / "sdk_v2.json"
    assert json.loads(path.read_text()) == made, "run scripts/build_sdk_catalog.py"


@pytest.mark.parametrize(
    ("major", "module", "name", "kind"),
    [
        ("v2", "sagemaker", "TrainingInput", "training-input"),
        ("v2", "sagemaker.sklearn", "SKLearnProcessor", "processor"),
        ("v2", "sagemaker.tensorflow", "TensorFlowModel", "model"),
        ("v2", "sagemaker.workflow.parameters", "ParameterBoolean", "parameter"),
        ("v3", "sagemaker.train", "ModelTrainer", "estimator"),
        ("v3", "sagemaker.mlops.workflow", "Pipeline", "pipeline"),
        ("v3", "sagemaker.core.workflow", "ParameterString", "parameter"),
    ],
)
def test_names_resolve_through_re_exports(major: str, module: str, name: str, kind: str) -> None:
    found = catalog(major).resolve(module, name)  # type: ignore[arg-type]
    assert isinstance(found, SdkClass)
    assert (found.name, found.kind) == (name, kind)


def test_keywords_reach_the_base_class() -> None:
    found = catalog("v2").resolve("sagemaker.sklearn", "SKLearn")
    assert isinstance(found, SdkClass)
    assert {"entry_point", "role", "instance_type", "max_run"} <= found.init.by_name.keys()
    assert found.init.open


def test_framework_versions_and_their_pythons() -> None:
    found = framework("pytorch", "training")
    assert found is not None
    known = found.find("2.1")
    assert known is not None
    assert known.python == ("py310",)
    assert found.find("0.0") is None
