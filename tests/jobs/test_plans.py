"""Requests become containers as the service lays them out."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import pytest
from msgspec.structs import replace
from stepbridge.engines.base import ExitStatus, ImageConfig, Mount
from stepbridge.errors import StepBridgeError, StorageError
from stepbridge.jobs import JobContext, plan_processing, plan_training
from stepbridge.jobs.channels import mounts_for
from stepbridge.jobs.collect import failure_reason, give_back, move_outputs
from stepbridge.jobs.plan import CodeMapping
from stepbridge.storage.objects import ObjectStore

PLAIN = ImageConfig("sha256:1", (), ("python3",), {}, "/", "")
TRAINING = {
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
    "ResourceConfig": {"InstanceCount": "2", "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30},
    "InputDataConfig": [
        {
            "ChannelName": "train",
            "ContentType": "text/csv",
            "DataSource": {"S3DataSource": {"S3Uri": "s3://bucket/data", "S3DataType": "S3Prefix"}},
        }
    ],
    "HyperParameters": {
        "sagemaker_program": '"train.py"',
        "sagemaker_submit_directory": '"s3://bucket/code/sourcedir.tar.gz"',
        "epochs": "3",
    },
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}


class Sources:
    """One archive of the workspace."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace

    def materialize(self, uri: str, folder: Path) -> tuple[CodeMapping, ...] | None:
        return None

    def unpack(self, uri: str, folder: Path) -> tuple[CodeMapping, ...] | None:
        assert uri == "s3://bucket/code/sourcedir.tar.gz"
        (folder / "train.py").write_text("print()")
        return (CodeMapping(self.workspace / "train.py", "train.py"),)

    def origin(self, name: str, content: bytes) -> Path | None:
        return None


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    store = ObjectStore(tmp_path / "s3")
    for key in ("data/a.csv", "data/b.csv", "data/deep/c.csv", "other/x"):
        store.put(f"s3://bucket/{key}", key.encode())
    return store


@pytest.fixture
def context(tmp_path: Path, store: ObjectStore) -> JobContext:
    return JobContext(
        name="job",
        arn="arn:aws:sagemaker:us-east-1:123456789012:training-job/job",
        region="us-east-1",
        account="123456789012",
        folder=tmp_path / "step",
        store=store,
        image="local",
        image_config=PLAIN,
        sources=Sources(tmp_path),
        environment={"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
    )


def mount_at(mounts: tuple[Mount, ...], target: str) -> Mount:
    return next(mount for mount in mounts if mount.target == target)


def test_training_config_files(context):
    plan = plan_training(TRAINING, context)
    first, second = plan.containers
    config = mount_at(second.mounts, "/opt/ml/input").source / "config"
    assert json.loads((config / "hyperparameters.json").read_text()) == {
        "sagemaker_program": '"train.py"',
        "sagemaker_submit_directory": '"/opt/ml/code"',
        "epochs": "3",
    }
    resources = json.loads((config / "resourceconfig.json").read_text())
    assert (resources["current_host"], resources["hosts"]) == ("algo-2", ["algo-1", "algo-2"])
    assert json.loads((config / "inputdataconfig.json").read_text()) == {
        "train": {
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
            "ContentType": "text/csv",
        }
    }
    assert first.environment["TRAINING_JOB_NAME"] == "job"
    assert (first.hostname, second.aliases) == ("algo-1", ("algo-2",))
    assert plan.time_limit == 60
    assert plan.scripts == ("/opt/ml/code/train.py",)


def in_groups(**counts: int) -> dict[str, object]:
    """A job whose channel `train` is sharded over the group `fit`; its channel `all` is for all."""
    groups = [
        {"InstanceGroupName": name, "InstanceType": f"ml.{name}.large", "InstanceCount": count}
        for name, count in counts.items()
    ]
    source = {"S3Uri": "s3://bucket/data", "S3DataType": "S3Prefix"}
    own = {**source, "S3DataDistributionType": "ShardedByS3Key", "InstanceGroupNames": ["fit"]}
    channels = [
        {"ChannelName": "train", "DataSource": {"S3DataSource": own}},
        {"ChannelName": "all", "DataSource": {"S3DataSource": source}},
    ]
    return {**TRAINING, "ResourceConfig": {"InstanceGroups": groups}, "InputDataConfig": channels}


def test_instance_groups(context):
    plan = plan_training(in_groups(load=1, fit=2, none=0), context)
    told, channels, files = [], [], []
    for container in plan.containers:
        folder = mount_at(container.mounts, "/opt/ml/input").source
        told.append(json.loads((folder / "config" / "resourceconfig.json").read_text()))
        channels.append(list(json.loads((folder / "config" / "inputdataconfig.json").read_text())))
        own = [m.source for m in container.mounts if m.target == "/opt/ml/input/data/train"]
        files.append([p.relative_to(own[0]).as_posix() for p in own[0].rglob("*.csv")] if own else None)
        assert (folder / "data" / "train").is_dir() is bool(own)
    assert [(t["current_host"], t["current_group_name"], t["current_instance_type"]) for t in told] == [
        ("algo-1", "load", "ml.load.large"),
        ("algo-2", "fit", "ml.fit.large"),
        ("algo-3", "fit", "ml.fit.large"),
    ]
    for one in told:
        assert one["hosts"] == ["algo-1", "algo-2", "algo-3"]
        assert one["instance_groups"] == [
            {"instance_group_name": "load", "instance_type": "ml.load.large", "hosts": ["algo-1"]},
            {"instance_group_name": "fit", "instance_type": "ml.fit.large", "hosts": ["algo-2", "algo-3"]},
            {"instance_group_name": "none", "instance_type": "ml.none.large", "hosts": []},
        ]
    assert channels == [["all"], ["train", "all"], ["train", "all"]]
    assert files[0] is None
    assert [sorted(found or ()) for found in files[1:]] == [["a.csv", "deep/c.csv"], ["b.csv"]]


@pytest.mark.parametrize(
    ("instance_type", "gpus"),
    [("ml.p3.2xlarge", -1), ("ml.g4dn.xlarge", -1), ("ml.gr6.4xlarge", -1), ("local_gpu", -1)]
    + [(name, 0) for name in ("ml.m5.xlarge", "ml.c5.large", "local", "ml.inf1.xlarge", "")],
)
def test_gpus_go_with_the_instance_type(context, instance_type, gpus):
    config = {"InstanceType": instance_type, "InstanceCount": 1}
    (container,) = plan_training({**TRAINING, "ResourceConfig": config}, context).containers
    assert container.gpus == gpus


def test_jobs_of_one_name_in_two_workspaces_are_two(context, tmp_path):
    (first, _), (other, _) = (
        plan_training(TRAINING, replace(context, folder=tmp_path / place)).containers for place in "ab"
    )
    assert first.name != other.name
    assert first.name.startswith("stepbridge-job-")


def test_gpus_of_instance_groups(context):
    groups = [
        {"InstanceGroupName": name, "InstanceType": kind, "InstanceCount": 1}
        for name, kind in (("fit", "ml.p4d.24xlarge"), ("load", "ml.c5.large"))
    ]
    plan = plan_training({**TRAINING, "ResourceConfig": {"InstanceGroups": groups}}, context)
    assert [container.gpus for container in plan.containers] == [-1, 0]


def test_instance_groups_that_make_no_cluster(context):
    with pytest.raises(StepBridgeError, match="channel train of job is for the instance group fit") as caught:
        plan_training(in_groups(load=1, fitt=1), context)
    assert caught.value.hint == 'Did you mean "fitt"?'
    with pytest.raises(StepBridgeError, match="job: its instance groups have no instance"):
        plan_training(in_groups(fit=0), context)
    request = in_groups(fit=1)
    request["ResourceConfig"]["InstanceGroups"] *= 2
    with pytest.raises(StepBridgeError, match="job: two instance groups have the name fit"):
        plan_training(request, context)


def with_channel(mode: str, kind: str = "S3Prefix") -> dict[str, object]:
    source = {"S3Uri": "s3://bucket/data", "S3DataType": kind}
    channel = {"ChannelName": "train", "InputMode": mode, "DataSource": {"S3DataSource": source}}
    return {**TRAINING, "InputDataConfig": [channel]}


@pytest.mark.parametrize(("mode", "told"), [("FastFile", "File"), ("Pipe", "Pipe"), ("File", "File")])
def test_the_input_mode_of_a_channel(context, mode, told):
    plan = plan_training(with_channel(mode), context)
    folder = mount_at(plan.containers[1].mounts, "/opt/ml/input").source
    config = json.loads((folder / "config" / "inputdataconfig.json").read_text())
    assert config["train"]["TrainingInputMode"] == told
    mounted = "/opt/ml/input/data/train" in {mount.target for mount in plan.containers[1].mounts}
    assert mounted is (mode != "Pipe")
    assert [pipe.folder.parent.parent.name for pipe in plan.pipes] == (
        ["algo-1", "algo-2"] if mode == "Pipe" else []
    )


@pytest.mark.parametrize(("mode", "kind"), [("File", "AugmentedManifestFile"), ("FastFile", "ManifestFile")])
def test_data_that_an_input_mode_has_not(context, mode, kind):
    with pytest.raises(StepBridgeError, match=f"channel train of job: an? {kind} .* input mode {mode}"):
        plan_training(with_channel(mode, kind), context)


def test_training_code_lies_in_place(context, tmp_path):
    plan = plan_training(TRAINING, context)
    code = mount_at(plan.containers[0].mounts, "/opt/ml/code")
    assert (code.source / "train.py").read_text() == "print()"
    assert plan.code == (CodeMapping(tmp_path / "train.py", "/opt/ml/code/train.py"),)


def test_an_image_with_an_entry_point_keeps_it(context):
    from msgspec.structs import replace

    with_entry = replace(context, image_config=replace(PLAIN, entrypoint=("/start.sh",)))
    assert plan_training(TRAINING, with_entry).containers[0].entrypoint is None
    assert plan_training(TRAINING, with_entry).containers[0].command == ("train",)
    own = {
        **TRAINING,
        "AlgorithmSpecification": {"TrainingImage": "i", "ContainerEntrypoint": ["python3", "/x.py"]},
    }
    container = plan_training(own, context).containers[0]
    assert (container.entrypoint, container.command) == (("python3", "/x.py"), ())


def test_training_outputs_are_packed_and_moved(context, store):
    plan = plan_training(TRAINING, context)
    model = mount_at(plan.containers[0].mounts, "/opt/ml/model").source
    (model / "weights").write_text("w")
    assert move_outputs(plan, store, failed=False) == {"model": "s3://bucket/models/job/output/model.tar.gz"}
    with tarfile.open(store.path("s3://bucket/models/job/output/model.tar.gz")) as tar:
        assert tar.getnames() == ["weights"]


def test_models_of_all_hosts_become_one(context, store, tmp_path):
    plan = plan_training(TRAINING, context)
    first, second = (mount_at(container.mounts, "/opt/ml/model").source for container in plan.containers)
    (tmp_path / "outside").mkdir()
    (first / "both").write_text("of the first")
    (first / "link").symlink_to(tmp_path / "outside")
    for name in ("both", "deep/own", "link/stray"):
        (second / name).parent.mkdir(exist_ok=True)
        (second / name).write_text("of the second")
    move_outputs(plan, store, failed=False)
    with tarfile.open(store.path("s3://bucket/models/job/output/model.tar.gz")) as tar:
        assert sorted(tar.getnames()) == ["both", "deep", "deep/own", "link"]
        kept = tar.extractfile("both")
        assert kept is not None
        assert kept.read() == b"of the first"
    assert list((tmp_path / "outside").iterdir()) == []


def test_processing_mounts_and_outputs(context, store, tmp_path):
    request = {
        "AppSpecification": {
            "ImageUri": "i",
            "ContainerEntrypoint": ["python3", "/code/p.py"],
            "ContainerArguments": ["-x"],
        },
        "ProcessingInputs": [
            {
                "InputName": "data",
                "S3Input": {"S3Uri": "s3://bucket/data/a.csv", "LocalPath": "/opt/ml/processing/in"},
            },
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "out",
                    "S3Output": {"S3Uri": "s3://bucket/out", "LocalPath": "/opt/ml/processing/out"},
                },
                {
                    "OutputName": "live",
                    "S3Output": {
                        "S3Uri": "s3://bucket/live",
                        "LocalPath": "/live",
                        "S3UploadMode": "Continuous",
                    },
                },
            ]
        },
    }
    plan = plan_processing(request, context)
    container = plan.containers[0]
    data = mount_at(container.mounts, "/opt/ml/processing/in/a.csv")
    assert (data.source, data.read_only) == (store.path("s3://bucket/data/a.csv"), True)
    assert mount_at(container.mounts, "/live").source == store.folder("s3://bucket/live")
    assert (container.entrypoint, container.command) == (("python3", "/code/p.py"), ("-x",))
    out = mount_at(container.mounts, "/opt/ml/processing/out").source
    assert out.stat().st_mode & 0o777 == 0o777
    (out / "r.json").write_text("{}")
    move_outputs(plan, store, failed=False)
    assert store.path("s3://bucket/out/r.json").read_text() == "{}"


def test_a_processing_input_in_pipe_mode_is_files_and_says_so(context):
    given = {
        "S3Uri": "s3://bucket/data",
        "LocalPath": "/data",
        "S3DataType": "S3Prefix",
        "S3InputMode": "Pipe",
    }
    request = {
        "AppSpecification": {"ImageUri": "image"},
        "ProcessingInputs": [{"InputName": "in", "S3Input": given}],
    }
    plan = plan_processing(request, context)
    assert mount_at(plan.containers[0].mounts, "/data").read_only
    assert plan.notices == ("input in: processing jobs have files here, not pipes: /data",)


def test_a_prefix_that_is_no_folder_and_shards(store, tmp_path):
    (mount,) = mounts_for(store, "s3://bucket/da", "/data", staging=tmp_path / "links", what="x")
    assert sorted(p.name for p in mount.source.rglob("*.csv")) == ["a.csv", "b.csv", "c.csv"]
    assert (mount.source / "data" / "a.csv").stat().st_ino == store.path(
        "s3://bucket/data/a.csv"
    ).stat().st_ino
    (half,) = mounts_for(store, "s3://bucket/data", "/d", staging=tmp_path / "half", what="x", shard=(1, 2))
    assert [p.relative_to(half.source).as_posix() for p in half.source.rglob("*.csv")] == ["b.csv"]


def test_a_manifest_names_its_files(store, tmp_path):
    store.put(
        "s3://bucket/m.json", json.dumps([{"prefix": "s3://bucket/data/"}, "a.csv", "deep/c.csv"]).encode()
    )
    (mount,) = mounts_for(
        store, "s3://bucket/m.json", "/d", staging=tmp_path / "m", what="x", kind="ManifestFile"
    )
    assert sorted(str(p.relative_to(mount.source)) for p in mount.source.rglob("*.csv")) == [
        "a.csv",
        "deep/c.csv",
    ]


def test_local_files_stay_local(store, tmp_path):
    (tmp_path / "local").mkdir()
    (mount,) = mounts_for(store, f"file://{tmp_path}/local", "/d", staging=tmp_path / "s", what="x")
    assert mount == Mount(tmp_path / "local", "/d", read_only=True)


def test_missing_data_says_what_to_do(store, tmp_path):
    with pytest.raises(StorageError, match=r"channel train: there is nothing at s3://bucket/nope") as caught:
        mounts_for(store, "s3://bucket/nope", "/d", staging=tmp_path / "s", what="channel train")
    assert "stepbridge data put" in caught.value.hint


def test_a_malformed_request_names_the_member(context):
    with pytest.raises(StepBridgeError, match=r"training job job: .*S3OutputPath"):
        plan_training({**TRAINING, "OutputDataConfig": {}}, context)


def test_the_reason_is_what_the_script_said(context):
    plan = plan_training({**TRAINING, "ResourceConfig": {}}, context)
    plan.failure_files["algo-1"].write_text(
        'Traceback (most recent call last):\n  File "/opt/ml/code/t.py", line 3, in f\nValueError: no\n'
    )
    reason = failure_reason(plan, "algo-1", ExitStatus(1), [], timed_out=False, kind="The training job")
    assert reason == "AlgorithmError: ValueError: no (t.py:3), exit code: 1"
    killed = failure_reason(
        plan, "algo-1", ExitStatus(137, True), [], timed_out=False, kind="The training job"
    )
    assert "memory" in killed


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_files_are_given_back(tmp_path):
    (tmp_path / "f").write_text("")
    assert give_back(tmp_path, (1234, 1234)) == []
    assert (tmp_path / "f").stat().st_uid == 1234
