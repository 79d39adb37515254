"""Models become containers, and our own model server answers as the toolkit's does."""

from __future__ import annotations

import ast
import http.server
import importlib.util
import io
import json
import subprocess
import sys
import tarfile
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from msgspec.structs import force_setattr
from stepbridge.engines.base import ImageConfig
from stepbridge.errors import StepBridgeError, StorageError
from stepbridge.jobs import JobContext
from stepbridge.jobs.images import LocalImage
from stepbridge.jobs.multi_model import LoadedModels
from stepbridge.jobs.plan import CodeMapping
from stepbridge.jobs.serving import extract, on_a_free_port, read_model, serving_containers
from stepbridge.jobs.transform import plan_transform
from stepbridge.storage.objects import ObjectStore

PAYLOAD = Path(__file__).parents[2] / "bridge" / "stepbridge" / "jobs" / "payload"


class Sources:
    """Knows one script by its content."""

    def __init__(self, script: Path | None = None) -> None:
        self.script = script

    def materialize(self, uri: str, folder: Path) -> tuple[CodeMapping, ...] | None:
        return None

    def unpack(self, uri: str, folder: Path) -> tuple[CodeMapping, ...] | None:
        (folder / "inference.py").write_text("submitted")
        return (CodeMapping(Path("/workspace/inference.py"), "inference.py"),)

    def origin(self, name: str, content: bytes) -> Path | None:
        return self.script if content == b"uploaded" else None


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def context(tmp_path: Path) -> JobContext:
    store = ObjectStore(tmp_path / "s3")
    packed = archive(**{"weights.json": b"[1]", "code/inference.py": b"uploaded"})
    store.put("s3://bucket/model.tar.gz", packed)
    store.put("s3://bucket/loose/weights.json", b"[2]")
    store.put("s3://bucket/in/a.csv", b"1\n")
    return JobContext(
        name="job",
        arn="arn",
        region="us-east-1",
        account="123456789012",
        folder=tmp_path / "step",
        store=store,
        image="local",
        image_config=ImageConfig("sha256:1", (), ("python3",), {}, "/", ""),
        sources=Sources(),
    )


def test_servers_have_the_gpus_of_their_instance_type(context):
    for instance_type, gpus in (("ml.g5.xlarge", -1), ("ml.m5.xlarge", 0)):
        served = serving_containers(model(), context, instance_type=instance_type)
        assert [spec.gpus for spec in served.specs] == [gpus]


def model(**container: Any) -> Any:
    given = {"Image": "image", "ModelDataUrl": "s3://bucket/model.tar.gz", **container}
    return read_model({"ModelName": "m", "PrimaryContainer": given})


def test_artifacts_are_unpacked_at_the_models_place(context):
    spec = serving_containers(model(), context).specs[0]
    mount = next(mount for mount in spec.mounts if mount.target == "/opt/ml/model")
    assert (mount.source / "weights.json").read_text() == "[1]"
    assert spec.ports == {8080: 0}


def test_a_packed_script_of_the_workspace_runs_as_it_is_now(context, tmp_path):
    script = tmp_path / "inference.py"
    script.write_text("edited")
    force_setattr(context, "sources", Sources(script))
    served = serving_containers(model(), context)
    mount = next(mount for mount in served.specs[0].mounts if mount.target == "/opt/ml/model")
    assert (mount.source / "code" / "inference.py").read_text() == "edited"
    assert {item.remote for item in served.code} == {
        "/opt/ml/model/code/inference.py",
        "/opt/ml/code/inference.py",
    }


def test_a_submit_directory_in_s3_lies_in_the_code_folder(context):
    environment = {"SAGEMAKER_SUBMIT_DIRECTORY": "s3://bucket/sourcedir.tar.gz", "LEVEL": 20}
    served = serving_containers(model(Environment=environment), context)
    assert served.specs[0].environment["SAGEMAKER_SUBMIT_DIRECTORY"] == "/opt/ml/model/code"
    assert served.specs[0].environment["LEVEL"] == "20"
    assert "/opt/ml/model/code/inference.py" in {item.remote for item in served.code}


def test_loose_artifacts_are_shown_but_cannot_be_changed(context):
    source = {"S3DataSource": {"S3Uri": "s3://bucket/loose/", "S3DataType": "S3Prefix"}}
    spec = serving_containers(model(ModelDataUrl="", ModelDataSource=source), context).specs[0]
    mount = next(mount for mount in spec.mounts if mount.target == "/opt/ml/model")
    assert mount.read_only
    assert (mount.source / "weights.json").read_text() == "[2]"


def test_an_image_with_an_entry_point_is_told_to_serve(context):
    force_setattr(context, "image_config", ImageConfig("sha256:1", ("/run.sh",), (), {}, "/", ""))
    spec = serving_containers(model(), context).specs[0]
    assert (spec.entrypoint, spec.command) == (None, ("serve",))


def test_local_processes_get_a_port_of_their_own(context):
    spec = on_a_free_port(serving_containers(model(), context).specs[0])
    ((inside, outside),) = spec.ports.items()
    assert inside == outside != 8080
    assert spec.environment["SAGEMAKER_BIND_TO_PORT"] == str(inside)


@pytest.mark.parametrize(
    ("described", "says"),
    [
        ({"Containers": []}, "no container"),
        (
            {"Containers": [{"Image": "a"}, {"ModelDataUrl": "s3://b/k"}]},
            "container-2 of model m names no image",
        ),
        (
            {"Containers": [{"Image": "a", "ContainerHostname": n} for n in "aa"]},
            "two containers of one name",
        ),
        (
            {"Containers": [{"Image": "a"}, {"Image": "b", "ContainerHostname": "../b"}]},
            "no ContainerHostname",
        ),
        ({"PrimaryContainer": {"ModelDataUrl": "s3://b/k"}}, "names no image"),
        ({"PrimaryContainer": {"Image": "a", "Mode": "MultiModel"}}, "no ModelDataUrl"),
        ({"PrimaryContainer": {"Image": "a", "Mode": "TripleModel"}}, "no Mode TripleModel"),
        ({"Containers": [{"Image": "a"}, {"Image": "b", "Mode": "MultiModel"}]}, "several containers"),
    ],
)
def test_models_that_cannot_be_served_say_why(described, says):
    with pytest.raises(StepBridgeError, match=says):
        _ = read_model({"ModelName": "m", **described}).served


def test_containers_of_a_pipeline_have_their_own_image_artifacts_and_limits(context):
    """... and code: the same path means another file in each."""
    config = ImageConfig("sha256:2", ("/run.sh",), (), {}, "/", "")
    force_setattr(context, "images", {"second": LocalImage("local-2", config)})
    containers = [
        {"Image": "first", "ModelDataUrl": "s3://bucket/model.tar.gz", "ContainerHostname": "prepare"},
        {
            "Image": "second",
            "ModelDataUrl": "s3://bucket/model.tar.gz",
            "Environment": {
                "SAGEMAKER_SUBMIT_DIRECTORY": "s3://bucket/sourcedir.tar.gz",
                "SAGEMAKER_TS_BATCH_SIZE": "2",
            },
        },
    ]
    served = serving_containers(read_model({"ModelName": "m", "Containers": containers}), context)
    first, second = served.specs
    assert [(one.hostname, one.image, one.command) for one in served.specs] == [
        ("prepare", "local", ()),
        ("container-2", "local-2", ("serve",)),
    ]
    assert first.mounts[0].source != second.mounts[0].source
    assert {item.host for item in served.code} == {"container-2"}
    names = {host: set(variables) for host, variables in served.debug_environment.items()}
    assert names["container-2"] - names["prepare"] == {"SAGEMAKER_TS_RESPONSE_TIMEOUT"}
    assert "SAGEMAKER_MODEL_SERVER_TIMEOUT" in names["prepare"]


def test_models_of_one_container_are_unpacked_each_in_its_own_folder(context, tmp_path):
    script = tmp_path / "inference.py"
    script.write_text("edited")
    force_setattr(context, "sources", Sources(script))
    packed = context.store.path("s3://bucket/model.tar.gz").read_bytes()
    for name in ("all/one.tar.gz", "all/deep/one.tar.gz", "all/readme.txt"):
        context.store.put(f"s3://bucket/{name}", packed)
    served = serving_containers(model(Mode="MultiModel", ModelDataUrl="s3://bucket/all/"), context)
    (spec,) = served.specs
    assert spec.environment["SAGEMAKER_MULTI_MODEL"] == "true"
    mount = next(mount for mount in spec.mounts if mount.target == "/opt/ml/models")
    folders = {path.parent.parent.parent for path in mount.source.rglob("inference.py")}
    assert len(folders) == 2
    assert {item.remote for item in served.code} == {
        f"/opt/ml/models/{folder.name}/model/code/inference.py" for folder in folders
    }
    with pytest.raises(StorageError, match=r"s3://bucket/all/gone\.tar\.gz"):
        served.models.place("gone.tar.gz")
    assert len(list(mount.source.iterdir())) == 2


class Container(http.server.BaseHTTPRequestHandler):
    """The multi-model API, with memory for two models."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        loaded = self.server.loaded  # type: ignore[attr-defined]
        if self.path == "/models":
            name = json.loads(body)["model_name"]
            self.server.calls.append(f"load {name[:1]}")  # type: ignore[attr-defined]
            if len(loaded) == 2:
                return self._answer(507, b"")
            loaded.append(name)
            return self._answer(200, b"")
        name = self.path.split("/")[2]
        return self._answer(200 if name in loaded else 404, name[:1].encode() + body)

    def do_DELETE(self) -> None:
        name = self.path.split("/")[2]
        self.server.calls.append(f"unload {name[:1]}")  # type: ignore[attr-defined]
        self.server.loaded.remove(name)  # type: ignore[attr-defined]
        self._answer(200, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        return None


def test_a_model_that_was_not_asked_for_the_longest_time_makes_room(tmp_path):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Container) as server:
        server.loaded, server.calls = [], []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        models = LoadedModels("s3://b/all", tmp_path, lambda uri, folder, shown: folder.mkdir())
        asked = [models.invoke(server.server_port, f"{name}.tar.gz", b"!", {}) for name in "abacb"]
        assert [b"".join(answer.body) for answer in asked] == [b"a!", b"b!", b"a!", b"c!", b"b!"]
        assert server.calls == [  # type: ignore[attr-defined]
            *("load a", "load b", "load c", "unload b", "load c"),
            *("load b", "unload a", "load b"),
        ]
        server.shutdown()


def test_missing_artifacts_name_their_address(context):
    with pytest.raises(StorageError, match=r"s3://bucket/gone\.tar\.gz"):
        serving_containers(model(ModelDataUrl="s3://bucket/gone.tar.gz"), context)


def test_a_member_cannot_leave_the_models_folder(tmp_path):
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes(archive(**{"../outside": b"x"}))
    with pytest.raises(StorageError):
        extract(bad, tmp_path / "model", "the artifacts")
    assert not (tmp_path / "outside").exists()


class TestTransformPlan:
    def request(self, **more: Any) -> dict[str, Any]:
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in"}}
        return {
            "ModelName": "m",
            "TransformInput": {"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
            "TransformOutput": {"S3OutputPath": "s3://bucket/out/", "AssembleWith": "Line"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 2},
            **more,
        }

    def test_the_server_is_told_of_its_batch_job(self, context):
        request = self.request(
            MaxPayloadInMB=1, BatchStrategy="SingleRecord", MaxConcurrentTransforms=4, Environment={"A": 1}
        )
        plan = plan_transform(model(), request, context)
        environment = plan.containers[0].environment
        assert environment["SAGEMAKER_BATCH"] == "True"
        assert environment["SAGEMAKER_MAX_PAYLOAD_IN_MB"] == "1"
        assert environment["SAGEMAKER_BATCH_STRATEGY"] == "SINGLE_RECORD"
        assert environment["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] == "4"
        assert environment["A"] == "1"
        assert plan.outputs[0].uri == "s3://bucket/out"
        assert "one instance serves" in plan.notices[0]

    def test_a_batch_job_has_one_model(self, context):
        with pytest.raises(StepBridgeError, match="Mode MultiModel"):
            plan_transform(model(Mode="MultiModel"), self.request(), context)

    def test_a_batch_job_cannot_ask_containers_one_by_one(self, context):
        described = {
            "ModelName": "m",
            "Containers": [{"Image": "a"}, {"Image": "b"}],
            "InferenceExecutionConfig": {"Mode": "Direct"},
        }
        with pytest.raises(StepBridgeError, match="Mode Direct"):
            plan_transform(read_model(described), self.request(), context)

    def test_a_join_by_line_needs_lines_in_the_output(self, context):
        request = self.request(
            DataProcessing={"JoinSource": "Input"}, TransformOutput={"S3OutputPath": "s3://b/o"}
        )
        with pytest.raises(StepBridgeError, match="AssembleWith"):
            plan_transform(model(), request, context)


@pytest.fixture
def serve() -> ModuleType:
    spec = importlib.util.spec_from_file_location("stepbridge_serve_under_test", PAYLOAD / "serve.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.numpy = lambda: None  # type: ignore[attr-defined]
    return module


class TestOurServer:
    def test_defaults_read_and_write_what_the_toolkit_does(self, serve):
        assert serve.default_input_fn(b"1,2\n3,x\n", "text/csv; charset=utf-8") == [[1.0, 2.0], [3.0, "x"]]
        assert serve.default_input_fn(b'{"a": 1}', "application/json") == {"a": 1}
        assert serve.default_input_fn(b"[1]\n[2]\n", "application/jsonlines") == [[1], [2]]
        assert serve.default_output_fn([[1, 2], [3, 4]], "text/csv") == ("1,2\n3,4\n", "text/csv")
        assert serve.default_output_fn([1], "*/*") == ("[1]", "application/json")

    def test_types_it_cannot_read_or_write_have_their_own_status(self, serve):
        with pytest.raises(serve.UnsupportedType) as read:
            serve.default_input_fn(b"", "image/png")
        with pytest.raises(serve.UnsupportedType) as written:
            serve.default_output_fn(1, "image/png")
        assert (read.value.status, written.value.status) == (415, 406)

    def test_a_script_replaces_what_it_defines(self, serve):
        script = ModuleType("inference")
        script.model_fn = lambda model_dir, context: 10  # type: ignore[attr-defined]
        script.input_fn = lambda body, kind: json.loads(body)  # type: ignore[attr-defined]
        script.predict_fn = lambda data, model: [model * x for x in data]  # type: ignore[attr-defined]
        loaded = serve.Model(script)
        assert loaded.answer(b"[1,2]", "application/json", "text/csv") == (b"10\n20\n", "text/csv")
        script.transform_fn = lambda model, body, kind, accept: (body, kind)  # type: ignore[attr-defined]
        assert serve.Model(script).answer(b"raw", "x/y", "*/*") == (b"raw", "x/y")

    def test_a_script_without_model_fn_is_told_so(self, serve):
        with pytest.raises(NotImplementedError, match="model_fn"):
            serve.Model(ModuleType("inference"))


@pytest.mark.parametrize("name", sorted(path.name for path in PAYLOAD.glob("*.py")))
def test_what_runs_in_containers_is_python_3_6(name):
    ast.parse((PAYLOAD / name).read_text(), feature_version=(3, 6))


def test_a_run_without_models_loads_no_http_client():
    """It takes 20 ms of a run's start."""
    code = "import sys, stepbridge.bridge, stepbridge.cli.run; print('http.client' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
