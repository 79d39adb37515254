"""The store: plain files, the keys that cannot be, moves without copies, the data map, several processes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stepbridge.errors import StorageError
from stepbridge.storage import Details, ObjectStore
from stepbridge.storage.listing import Cursor


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "state" / "s3")


def keys(store: ObjectStore, bucket: str = "b00", prefix: str = "", after: str = "") -> list[str]:
    return [info.key for info in store.objects(bucket, prefix, after)]


def read(store: ObjectStore, uri: str) -> bytes:
    with store.open(uri) as file:
        return file.read()


def test_an_object_is_a_plain_file(store: ObjectStore, tmp_path: Path) -> None:
    store.put("s3://b00/data/train.csv", b"1,2\n")
    assert (tmp_path / "state/s3/b00/data/train.csv").read_bytes() == b"1,2\n"
    assert store.path("s3://b00/data/train.csv") == tmp_path / "state/s3/b00/data/train.csv"
    info = store.head("b00", "data/train.csv")
    assert info is not None
    assert (info.size, info.etag) == (4, hashlib.md5(b"1,2\n").hexdigest())


def test_a_file_that_a_person_placed_is_an_object(store: ObjectStore) -> None:
    path = store.path("s3://b00/x/y.txt")
    path.parent.mkdir(parents=True)
    path.write_text("hand made")
    info = store.required("s3://b00/x/y.txt")
    assert info.etag == hashlib.md5(b"hand made").hexdigest()
    assert info.content_type == "binary/octet-stream"
    path.write_text("mended by hand")
    assert store.required("s3://b00/x/y.txt").etag == hashlib.md5(b"mended by hand").hexdigest()


def test_side_information_survives_a_new_store(store: ObjectStore) -> None:
    details = Details(content_type="text/csv", metadata={"made-by": "test"}, tags={"a": "b"})
    store.put("s3://b00/k", b"x", details)
    again = ObjectStore(store.root)
    assert again.required("s3://b00/k").details == details


def test_an_edit_by_hand_drops_the_checksums_and_keeps_the_rest(store: ObjectStore) -> None:
    store.put("s3://b00/k", b"x", Details(content_type="text/csv", checksums={"CRC32": "AAAA"}))
    store.path("s3://b00/k").write_bytes(b"longer")
    details = store.required("s3://b00/k").details
    assert (details.content_type, dict(details.checksums)) == ("text/csv", {})


@pytest.mark.parametrize("order", [("a", "a/b"), ("a/b", "a")])
def test_a_key_that_is_file_and_prefix_loses_nothing(store: ObjectStore, order: tuple[str, str]) -> None:
    for key in order:
        store.put(f"s3://b00/{key}", key.encode(), Details(content_type=f"text/{key[-1]}"))
    assert keys(store) == ["a", "a/b"]
    for key in order:
        assert read(store, f"s3://b00/{key}") == key.encode()
        assert store.required(f"s3://b00/{key}").content_type == f"text/{key[-1]}"
        assert store.required(f"s3://b00/{key}").etag == hashlib.md5(key.encode()).hexdigest()
    assert (store.root / "b00/a/b").read_bytes() == b"a/b"  # what is under the prefix stays mountable
    assert store.delete("s3://b00/a")
    assert keys(store) == ["a/b"]


def test_a_file_becomes_plain_again_when_the_folder_is_gone(store: ObjectStore) -> None:
    store.put("s3://b00/a/b", b"1")
    store.put("s3://b00/a", b"2")
    store.delete("s3://b00/a/b")
    store.put("s3://b00/a", b"3")
    assert (store.root / "b00/a").read_bytes() == b"3"
    assert keys(store) == ["a"]
    assert not list((store.side / "apart" / "b00").iterdir())


@pytest.mark.parametrize("key", ["folder/", "a//b", "a/./b", "x/" + "ä" * 200, "y" * 256, "a/"])
def test_keys_that_are_no_path(store: ObjectStore, key: str) -> None:
    store.put(f"s3://b00/{key}", b"odd")
    store.put("s3://b00/m", b"even")
    assert set(keys(store)) == {key, "m"}
    assert keys(store) == sorted(keys(store), key=str.encode)
    assert read(store, f"s3://b00/{key}") == b"odd"
    assert store.path(f"s3://b00/{key}").read_bytes() == b"odd"
    assert not store.path(f"s3://b00/{key}").is_relative_to(store.root)
    assert store.delete(f"s3://b00/{key}")
    assert keys(store) == ["m"]


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/passwd", "a/..", "nul\0", "k" * 1025, "\udcff"])
def test_keys_that_leave_the_bucket_are_refused(store: ObjectStore, key: str) -> None:
    for call in (store.path, store.head, store.delete):
        with pytest.raises(StorageError):
            call("b00", key)
    with pytest.raises(StorageError):
        store.put(f"s3://b00/{key}", b"")


@pytest.mark.parametrize("bucket", ["..", "a/b", "", ".hidden", "a..b", "x\0y"])
def test_bucket_names_that_leave_the_store_are_refused(store: ObjectStore, bucket: str) -> None:
    with pytest.raises(StorageError):
        store.path(bucket, "k")
    with pytest.raises(StorageError):
        store.create_bucket(bucket)


def test_links_in_the_store_are_no_objects(store: ObjectStore, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("s")
    store.create_bucket("b00")
    (store.root / "b00" / "out").symlink_to(secret)
    (store.root / "b00" / "file").symlink_to(secret / "key")
    assert keys(store) == []
    assert store.head("b00", "out/key") is None
    assert store.head("b00", "file") is None
    store.put("s3://b00/out/new", b"1")
    assert not (secret / "new").exists()
    assert keys(store) == ["out/new"]


def test_listing_is_in_byte_order_of_whole_keys(store: ObjectStore) -> None:
    names = ["a/b", "a-b", "a.b", "a0", "é", "z", "a/b/c", "A", "\U0001f600", "\uffee"]
    for name in names:
        store.put(f"s3://b00/{name}", b"")
    assert keys(store) == sorted(names, key=str.encode)
    assert keys(store, prefix="a/") == ["a/b", "a/b/c"]
    assert keys(store, after="a-b") == [k for k in sorted(names, key=str.encode) if k > "a-b"]


KEY = st.text(alphabet="ab/-.é", min_size=1, max_size=6).filter(
    lambda key: not key.startswith("/") and ".." not in key.split("/")
)


@given(
    names=st.sets(KEY, max_size=12),
    prefix=st.text(alphabet="ab/-", max_size=3),
    after=st.text(alphabet="ab/-", max_size=4),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_set_of_keys_lists_as_s3_would(
    tmp_path_factory: pytest.TempPathFactory, names: set[str], prefix: str, after: str
) -> None:
    store = ObjectStore(tmp_path_factory.mktemp("state") / "s3")
    for name in names:
        store.put(f"s3://b00/{name}", name.encode())
    expected = [k for k in sorted(names, key=str.encode) if k.startswith(prefix) and k > after]
    assert keys(store, "b00", prefix, after) == expected
    for name in names:
        assert read(store, f"s3://b00/{name}") == name.encode()
    store.close()


def test_a_cursor_can_pass_over_folders(store: ObjectStore) -> None:
    for number in range(40):
        store.put(f"s3://b00/{number % 4}/{number:02}", b"")
    cursor = Cursor()
    seen = []
    for info in store.scan("b00", cursor):
        seen.append(info.key)
        cursor.skip = info.key[:2]
    assert seen == ["0/00", "1/01", "2/02", "3/03"]


def test_many_objects_list_quickly_page_by_page(store: ObjectStore) -> None:
    folder = store.root / "b00" / "many"
    folder.mkdir(parents=True)
    for number in range(5000):
        (folder / f"{number:05}.txt").touch()
    os.utime(folder, (1, 1))  # long settled, so that its listing is remembered
    last, count = "", 0
    while page := [
        info.key for _, info in zip(range(100), store.objects("b00", "many/", last), strict=False)
    ]:
        last, count = page[-1], count + len(page)
    assert count == 5000


def test_a_remembered_listing_sees_new_files(store: ObjectStore) -> None:
    folder = store.root / "b00"
    folder.mkdir()
    for number in range(1500):
        (folder / f"{number:05}").touch()
    os.utime(folder, (1, 1))
    assert len(keys(store)) == 1500
    store.put("s3://b00/zzz", b"")
    assert len(keys(store)) == 1501


def test_adopting_a_file_moves_it(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "model.tar.gz"
    source.write_bytes(b"model")
    inode = source.stat().st_ino
    assert store.adopt(source, "s3://b00/out/model.tar.gz") == ()
    assert not source.exists()
    assert store.path("s3://b00/out/model.tar.gz").stat().st_ino == inode


def test_adopting_a_folder_moves_all_of_it(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "out"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "a.csv").write_text("a")
    (source / "deep/er/b.csv").write_text("b")
    inode = (source / "deep/er/b.csv").stat().st_ino
    store.adopt(source, "s3://b00/step/output")
    assert keys(store) == ["step/output/a.csv", "step/output/deep/er/b.csv"]
    assert store.path("s3://b00/step/output/deep/er/b.csv").stat().st_ino == inode
    assert not source.exists()


def test_adopting_into_a_folder_that_exists_merges(store: ObjectStore, tmp_path: Path) -> None:
    store.put("s3://b00/p/old", b"old")
    store.put("s3://b00/p/same", b"old", Details(content_type="text/old"))
    store.put("s3://b00/p/x", b"a file where a folder comes")
    source = tmp_path / "out"
    (source / "x").mkdir(parents=True)
    (source / "same").write_text("new")
    (source / "x" / "y").write_text("y")
    store.adopt(source, "s3://b00/p/")
    assert keys(store) == ["p/old", "p/same", "p/x", "p/x/y"]
    assert read(store, "s3://b00/p/same") == b"new"
    assert store.required("s3://b00/p/same").content_type == "binary/octet-stream"
    assert read(store, "s3://b00/p/x") == b"a file where a folder comes"
    assert not source.exists()


def test_adopting_resolves_links_inside_and_leaves_others_out(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "out"
    source.mkdir()
    (source / "model-1").write_text("weights")
    (source / "latest").symlink_to("model-1")
    (source / "leak").symlink_to("/etc/passwd")
    os.mkfifo(source / "pipe")
    assert store.adopt(source, "s3://b00/m") == ("leak", "pipe")
    assert keys(store) == ["m/latest", "m/model-1"]
    assert read(store, "s3://b00/m/latest") == b"weights"


def test_adopting_nothing_says_so(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="does not exist"):
        store.adopt(tmp_path / "missing", "s3://b00/k")


def test_adopting_across_file_systems_copies(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == store.root.stat().st_dev:
        pytest.skip("no second file system to move from")
    source = other / f"stepbridge-{os.getpid()}"
    (source / "d").mkdir(parents=True)
    (source / "d" / "f").write_text("far")
    store.adopt(source, "s3://b00/far")
    assert read(store, "s3://b00/far/d/f") == b"far"
    assert not source.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_are_given_to_the_workspace_s_owner(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    os.chown(workspace, 1234, 1234)
    store = ObjectStore(workspace / ".stepbridge" / "s3")
    source = tmp_path / "out"
    (source / "d").mkdir(parents=True)
    (source / "d" / "f").write_text("root's")
    store.adopt(source, "s3://b00/deep/out")
    store.put("s3://b00/deep/put", b"x")
    store.put("s3://b00/odd//key", b"x")
    owners = {path.lstat().st_uid for path in (workspace / ".stepbridge").rglob("*")}
    assert owners == {1234}


def test_copies_are_independent(store: ObjectStore) -> None:
    store.put("s3://b00/a", b"one", Details(content_type="text/plain"))
    copied = store.copy(store.required("s3://b00/a"), "b01", "x/y")
    assert copied.content_type == "text/plain"
    store.path("s3://b00/a").write_bytes(b"two")
    assert read(store, "s3://b01/x/y") == b"one"


def test_large_objects_are_not_hashed(store: ObjectStore) -> None:
    path = store.path("s3://b00/large")
    path.parent.mkdir()
    with path.open("wb") as file:
        file.truncate(4 << 30)  # sparse: hashing it would take many seconds
    etag = store.required("s3://b00/large").etag
    assert etag.endswith("-512")
    assert store.required("s3://b00/large").etag == etag
    os.utime(path, (1, 1))
    assert store.required("s3://b00/large").etag != etag


def test_digests_are_remembered_until_the_file_changes(store: ObjectStore) -> None:
    path = store.path("s3://b00/k")
    path.parent.mkdir()
    path.write_bytes(b"one")
    os.utime(path, (100, 100))
    assert store.sha256(store.required("s3://b00/k")) == hashlib.sha256(b"one").hexdigest()
    path.write_bytes(b"two")
    assert store.sha256(store.required("s3://b00/k")) == hashlib.sha256(b"two").hexdigest()


def test_buckets(store: ObjectStore) -> None:
    assert store.create_bucket("b02")
    assert not store.create_bucket("b02")
    store.put("s3://b01/k", b"")
    assert store.buckets() == ["b01", "b02"]
    with pytest.raises(StorageError, match="not empty"):
        store.delete_bucket("b01")
    store.delete("s3://b01/k")
    store.delete_bucket("b01")
    assert store.buckets() == ["b02"]


def test_a_missing_object_says_how_to_provide_it(store: ObjectStore) -> None:
    with pytest.raises(StorageError, match="stepbridge data put FILE s3://b00/nothing"):
        store.open("s3://b00/nothing")


def test_two_processes_write_at_once(store: ObjectStore) -> None:
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from stepbridge.storage import Details, ObjectStore
        store = ObjectStore(Path(sys.argv[1]))
        for number in range(60):
            store.put(f"s3://b00/shared/{number}", sys.argv[2].encode(), Details(content_type=sys.argv[2]))
            store.put(f"s3://b00/{number}" + ("/x" if sys.argv[2] == "one" else ""), b"conflict")
        """
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program, str(store.root), name], env=_with_package())
        for name in ("one", "two")
    ]
    assert [process.wait(120) for process in started] == [0, 0]
    for info in store.objects("b00", "shared/"):
        assert info.content_type.encode() == info.path.read_bytes()
    assert len([k for k in keys(store) if not k.startswith("shared/")]) == 120


def _with_package() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


# --- the data map -------------------------------------------------------------------------------------------


@pytest.fixture
def mapped(tmp_path: Path) -> ObjectStore:
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    (data / "a.csv").write_text("local a")
    (data / "sub" / "b.csv").write_text("local b")
    return ObjectStore(
        tmp_path / "state" / "s3",
        data={"s3://public/census/": data, "s3://public/one/file.csv": data / "a.csv"},
    )


def test_mapped_files_are_served_without_a_copy(mapped: ObjectStore, tmp_path: Path) -> None:
    assert keys(mapped, "public") == ["census/a.csv", "census/sub/b.csv", "one/file.csv"]
    assert mapped.path("s3://public/census/sub/b.csv") == tmp_path / "data/sub/b.csv"
    assert read(mapped, "s3://public/one/file.csv") == b"local a"
    assert mapped.has_bucket("public")
    assert mapped.buckets() == ["public"]
    assert mapped.required("s3://public/census/a.csv").etag == hashlib.md5(b"local a").hexdigest()
    assert mapped.mountable("s3://public/census") == tmp_path / "data"
    assert mapped.folder("s3://public/census/sub") == tmp_path / "data/sub"


def test_mapped_files_are_read_only_and_can_be_hidden(mapped: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="read-only"):
        mapped.delete("s3://public/census/a.csv")
    mapped.put("s3://public/census/a.csv", b"own")
    assert read(mapped, "s3://public/census/a.csv") == b"own"
    assert (tmp_path / "data/a.csv").read_text() == "local a"
    assert keys(mapped, "public", "census/") == ["census/a.csv", "census/sub/b.csv"]
    assert mapped.mountable("s3://public/census") is None
    mapped.delete("s3://public/census/a.csv")
    assert read(mapped, "s3://public/census/a.csv") == b"local a"


def test_a_link_that_leads_back_does_not_loop(mapped: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "data" / "sub" / "up").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "linked.csv").symlink_to(tmp_path / "data" / "a.csv")
    assert keys(mapped, "public", "census/") == ["census/a.csv", "census/linked.csv", "census/sub/b.csv"]


def test_prefixes_that_can_be_mounted(store: ObjectStore) -> None:
    store.put("s3://b00/p/a", b"")
    assert store.mountable("s3://b00/p/") == store.root / "b00/p"
    store.put("s3://b00/p/", b"")  # an empty folder marker changes nothing
    assert store.mountable("s3://b00/p/") == store.root / "b00/p"
    store.put("s3://b00/p/x//y", b"")
    assert store.mountable("s3://b00/p/") is None
