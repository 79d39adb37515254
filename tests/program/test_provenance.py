from __future__ import annotations

import io
import tarfile
from pathlib import Path

import msgspec
import pytest
from stepbridge.errors import StorageError
from stepbridge.jobs.plan import CodeMapping
from stepbridge.program.archives import Entry, members, unpack, write
from stepbridge.program.matching import match
from stepbridge.program.observation import Observation
from stepbridge.program.provenance import Provenance
from stepbridge.program.sources import WorkspaceSources
from stepbridge.storage.objects import ObjectStore


class Project:
    """A workspace, what the SDK reads of it, and a store that it uploads to."""

    def __init__(self, root: Path) -> None:
        self.root = root / "workspace"
        self.store = ObjectStore(root / "s3")
        self.store.create_bucket("bucket")
        self.read: dict[str, tuple[str, ...]] = {}
        self.listed: dict[str, tuple[str, ...]] = {}
        self.objects: dict[str, Path] = {}

    def file(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def upload(self, key: str, data: bytes) -> str:
        uri = f"s3://bucket/{key}"
        self.store.put(uri, data)
        self.objects[uri] = self.store.path(uri)
        return uri

    def upload_file(self, name: str) -> str:
        path = self.root / name
        self.read[str(path)] = ("sdk",)
        return self.upload(f"code/{path.name}", path.read_bytes())

    def upload_folder(self, name: str, *, key: str = "code/sourcedir.tar.gz", prefix: str = "") -> str:
        """As the SDK does: list the folder, read its files, pack them."""
        folder = self.root / name
        self.listed[str(folder)] = ("sdk",)
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                self.read[str(path)] = ("sdk",)
                archive.add(path, f"{prefix}{path.relative_to(folder)}")
        return self.upload(key, buffer.getvalue())

    def match(self) -> Provenance:
        found = match(self.objects, Observation(read=self.read, listed=self.listed), self.root)
        return msgspec.json.decode(msgspec.json.encode(found), type=Provenance)

    def sources(self) -> WorkspaceSources:
        return WorkspaceSources(self.store, self.match())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_script_is_matched_to_the_file_it_was_read_from(project: Project) -> None:
    script = project.file("preprocess.py", "print(1)\n")
    project.file("copy_of_preprocess.py", "print(1)\n")
    uri = project.upload_file("preprocess.py")

    found = project.match()

    assert found.mappings(uri) == [(script, "")]
    assert found.is_code(uri)
    assert found.refresh(uri) == []


def test_an_archive_is_matched_member_by_member(project: Project) -> None:
    train = project.file("training/train.py", "import lib\n")
    lib = project.file("training/lib/__init__.py", "")
    project.file("other/lib/__init__.py", "")
    project.read[str(project.root / "other/lib/__init__.py")] = ("sdk",)
    uri = project.upload_folder("training")

    found = project.match()

    assert {name: path for path, name in found.mappings(uri)} == {
        "train.py": train,
        "lib/__init__.py": lib,
    }


def test_what_differs_now_is_found(project: Project) -> None:
    train = project.file("training/train.py", "one\n")
    gone = project.file("training/gone.py", "gone\n")
    project.file("training/same.py", "same\n")
    uri = project.upload_folder("training")
    found = project.match()

    train.write_text("two\n")
    gone.unlink()
    new = project.file("training/new.py", "new\n")
    project.file("training/__pycache__/train.pyc", "cache")

    assert sorted(found.refresh(uri)) == [("gone.py", gone), ("new.py", new), ("train.py", train)]


def test_where_all_files_are_gone_the_upload_counts(project: Project, tmp_path: Path) -> None:
    project.file("training/train.py", "train\n")
    project.file("step.py", "step\n")
    archive, script = project.upload_folder("training"), project.upload_file("step.py")
    sources = project.sources()
    project.root.rename(tmp_path / "elsewhere")

    assert sources.provenance.refresh(archive) == []
    assert sources.unpack(archive, tmp_path / "code") == ()
    assert (tmp_path / "code/train.py").read_text() == "train\n"
    assert sources.materialize(script, tmp_path / "job") == ()
    assert (tmp_path / "job/step.py").read_text() == "step\n"


def test_a_lone_entry_point_does_not_stand_for_its_folder(project: Project) -> None:
    project.file("train.py", "alone\n")
    project.file("pipeline.py", "\n")
    project.listed[str(project.root)] = ("sdk",)  # another step packs the whole folder
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(project.root / "train.py", "train.py")
    project.read[str(project.root / "train.py")] = ("sdk",)
    uri = project.upload("code/sourcedir.tar.gz", buffer.getvalue())

    found = project.match()
    project.file("new.py", "not part of it\n")

    assert found.refresh(uri) == []


def test_a_dependency_folder_keeps_its_place_in_the_archive(project: Project) -> None:
    project.file("lib/tool.py", "tool\n")
    uri = project.upload_folder("lib", prefix="lib/")
    found = project.match()

    new = project.file("lib/sub/new.py", "new\n")

    assert found.refresh(uri) == [("lib/sub/new.py", new)]


def test_files_that_were_copied_before_the_upload_are_found_by_content(project: Project) -> None:
    script = project.file("steps/evaluate.py", "evaluate\n")
    uri = project.upload("code/evaluate.py", b"evaluate\n")  # read from a temporary copy
    assert project.match().mappings(uri) == [(script, "")]


def test_what_comes_from_no_file_has_no_provenance(project: Project) -> None:
    project.file("train.py", "train\n")
    project.file("empty.txt", "")
    script = project.upload("code/runproc.sh", b"#!/bin/bash\n")
    empty = project.upload("code/marker", b"")
    project.read[str(project.root / "empty.txt")] = ("program",)
    damaged = project.upload("code/sourcedir.tar.gz", b"no archive")
    assert project.match().sources == {}
    assert {script, empty, damaged} == set(project.objects)


def test_data_is_matched_but_is_no_code(project: Project) -> None:
    project.file("data.csv", "1,2\n")
    uri = project.upload_file("data.csv")
    assert project.match().mappings(uri)
    assert not project.match().is_code(uri)
    assert project.sources().materialize(uri, project.root / "out") is None


def test_a_script_is_materialised_as_it_is_now(project: Project, tmp_path: Path) -> None:
    script = project.file("preprocess.py", "one\n")
    uri = project.upload_file("preprocess.py")
    sources = project.sources()
    script.write_text("two\n")

    found = sources.materialize(uri, tmp_path / "job")

    assert found == (CodeMapping(script, "preprocess.py"),)
    assert (tmp_path / "job/preprocess.py").read_text() == "two\n"
    assert project.store.path(uri).read_text() == "one\n"


def test_an_archive_is_unpacked_as_it_is_now(project: Project, tmp_path: Path) -> None:
    train = project.file("training/train.py", "one\n")
    project.file("training/gone.py", "gone\n")
    uri = project.upload_folder("training")
    sources = project.sources()
    train.write_text("two\n")
    new = project.file("training/lib/new.py", "new\n")
    (project.root / "training/gone.py").unlink()

    found = sources.unpack(uri, tmp_path / "code")

    assert set(found or ()) == {CodeMapping(train, "train.py"), CodeMapping(new, "lib/new.py")}
    unpacked = {str(p.relative_to(tmp_path / "code")) for p in (tmp_path / "code").rglob("*.py")}
    assert unpacked == {"train.py", "lib/new.py"}
    assert (tmp_path / "code/train.py").read_text() == "two\n"


def test_an_archive_stays_an_archive_where_it_is_an_input(project: Project, tmp_path: Path) -> None:
    train = project.file("training/train.py", "one\n")
    uri = project.upload_folder("training", key="p/code/source/sourcedir.tar.gz")
    sources = project.sources()

    sources.materialize(uri, tmp_path / "same")
    assert (tmp_path / "same/sourcedir.tar.gz").read_bytes() == project.store.path(uri).read_bytes()

    train.write_text("two\n")
    found = sources.materialize("s3://bucket/p/code", tmp_path / "new")
    assert found == (CodeMapping(train, "source/train.py"),)
    archive = tmp_path / "new/source/sourcedir.tar.gz"
    assert dict(members(archive)) == {"train.py": Entry(b"two\n")}


def test_generated_objects_beside_code_come_from_the_store(project: Project, tmp_path: Path) -> None:
    script = project.file("train.py", "train\n")
    project.read[str(script)] = ("sdk",)
    project.upload("v3/code/train.py", b"train\n")
    project.upload("v3/code/driver.sh", b"python train.py\n")

    found = project.sources().materialize("s3://bucket/v3/code", tmp_path / "code")

    assert found == (CodeMapping(script, "train.py"),)
    assert (tmp_path / "code/driver.sh").read_text() == "python train.py\n"


def test_an_archive_of_unknown_origin_is_unpacked_as_it_is(project: Project, tmp_path: Path) -> None:
    write(tmp_path / "x.tar.gz", {"a/b.py": Entry(b"b"), "run": Entry(b"r", executable=True)})
    uri = project.upload("code/x.tar.gz", (tmp_path / "x.tar.gz").read_bytes())

    assert project.sources().unpack(uri, tmp_path / "code") is None

    assert (tmp_path / "code/a/b.py").read_bytes() == b"b"
    assert (tmp_path / "code/run").stat().st_mode & 0o100


def test_local_code_is_taken_from_its_folder(project: Project, tmp_path: Path) -> None:
    train = project.file("my code/train.py", "train\n")
    uri = train.parent.as_uri()
    assert project.sources().unpack(uri, tmp_path / "code") == (CodeMapping(train, "train.py"),)


@pytest.mark.parametrize("name", ["x.tar.gz", "x.tar", "x.zip"])
def test_archives_are_the_same_for_the_same_content(tmp_path: Path, name: str) -> None:
    content = {"b.sh": Entry(b"2", executable=True), "a.py": Entry(b"1")}
    write(tmp_path / name, content)
    first = (tmp_path / name).read_bytes()
    write(tmp_path / name, dict(reversed(content.items())))
    assert (tmp_path / name).read_bytes() == first
    assert dict(members(tmp_path / name)) == content


def test_members_stay_in_their_folder(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="leads out"):
        unpack({"../evil.py": Entry(b"")}, tmp_path / "code")
    (tmp_path / "code").mkdir()
    (tmp_path / "code/link").symlink_to(tmp_path)
    with pytest.raises(StorageError, match="leads out"):
        unpack({"link/evil.py": Entry(b"")}, tmp_path / "code")


def test_digests_of_code_follow_the_workspace(project: Project) -> None:
    script = project.file("src/train.py", "1")
    uri, data = project.upload_folder("src"), project.upload("data/rows.csv", b"1,2")
    sources = WorkspaceSources(project.store, project.match())
    seen = [sources.code(uri)]
    script.write_text("2")
    seen.append(sources.code(uri))
    added = project.file("src/more.py", "")
    seen.append(sources.code(uri))
    added.unlink()
    script.write_text("1")
    assert sources.code(uri) == seen[0]
    assert len(set(seen)) == 3
    assert None not in seen
    assert sources.code(data) is None


@pytest.mark.parametrize("archive", [True, False])
def test_scripts_inside_of_a_model_are_those_of_the_workspace(project: Project, archive: bool) -> None:
    script = project.file("src/inference.py", "old")
    project.upload_file("src/inference.py")
    members = {"code/inference.py": b"old", "code/other.py": b"of nobody", "weights": bytes(100)}
    if archive:
        packed = project.root.parent / "model.tar.gz"
        write(packed, {name: Entry(data, False) for name, data in members.items()})
        project.store.put("s3://bucket/model/model.tar.gz", packed.read_bytes())
    else:
        for name, data in members.items():
            project.store.put(f"s3://bucket/model/{name}", data)
    sources = WorkspaceSources(project.store, project.match())
    uri = "s3://bucket/model/model.tar.gz" if archive else "s3://bucket/model"
    ((name, before),) = sources.served(uri)
    assert name.endswith("inference.py")
    script.write_text("new")
    ((_, after),) = sources.served(uri)
    assert after != before
    project.store.put("s3://bucket/model/model.tar.gz", b"no archive")
    with pytest.raises(StorageError, match="cannot be read as an archive"):
        sources.served("s3://bucket/model/model.tar.gz")
