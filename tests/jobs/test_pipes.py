"""Input mode Pipe: what flows, and the pipes it flows through."""

from __future__ import annotations

import gzip
import json
import os
import queue
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stepbridge.errors import StepBridgeError, StorageError
from stepbridge.jobs.pipes import Feeder, Pipe
from stepbridge.jobs.streams import Stream, units_of
from stepbridge.storage.objects import ObjectStore


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    store = ObjectStore(tmp_path / "s3")
    for key, content in (("b", b"two"), ("a", b"one,"), ("deep/c", b"3333")):
        store.put(f"s3://bucket/data/{key}", content)
    return store


def stream(store: ObjectStore, uri: str = "s3://bucket/data", **members: object) -> Stream:
    return Stream("channel train", units_of(store, uri, what="channel train"), **members)  # type: ignore[arg-type]


def flowing(given: Stream, epoch: int = 0) -> bytes:
    return b"".join(given.epoch(epoch))


MAGIC = struct.pack("<I", 0xCED7230A)


def records(data: bytes) -> list[bytes]:
    """Read as dmlc's reader does, by the lengths and their flags: 0 whole, 1 first, 2 middle, 3 last part."""
    found: list[bytes] = []
    at, before = 0, 0
    while at < len(data):
        assert data[at : at + 4] == MAGIC
        (word,) = struct.unpack_from("<I", data, at + 4)
        flag, length = word >> 29, word & (2**29 - 1)
        assert flag in ((2, 3) if before in (1, 2) else (0, 1))
        content = data[at + 8 : at + 8 + length]
        if flag in (0, 1):
            found.append(content)
        else:
            found[-1] += MAGIC + content
        padding = data[at + 8 + length : at + 8 + length + -length % 4]
        assert padding == bytes(-length % 4)
        at += 8 + length + len(padding)
        before = flag
    assert before in (0, 3)
    return found


def heads(data: bytes) -> list[int]:
    """Where a reader that starts anywhere takes something for the head of a record's part."""
    return [at for at in range(0, len(data), 4) if data[at : at + 4] == MAGIC]


class TestWhatFlows:
    def test_objects_follow_each_other_by_key(self, store):
        assert flowing(stream(store)) == b"one,two3333"
        assert flowing(stream(store), 5) == b"one,two3333"
        assert flowing(stream(store, "s3://bucket/data/b")) == b"two"

    def test_a_manifest_names_objects_and_their_order(self, store):
        store.put("s3://bucket/m", json.dumps([{"prefix": "s3://bucket/data/"}, "deep/c", "a"]).encode())
        units = units_of(store, "s3://bucket/m", what="x", kind="ManifestFile")
        assert flowing(Stream("x", units)) == b"3333one,"

    def test_each_object_becomes_a_record(self, store):
        data = flowing(stream(store, record_io=True))
        assert len(data) % 4 == 0
        assert records(data) == [b"one,", b"two", b"3333"]

    @given(
        st.lists(st.lists(st.sampled_from([MAGIC, MAGIC[:2], b"x", b"four", b""]), max_size=9), max_size=4)
    )
    def test_a_record_is_cut_where_a_reader_would_take_it_for_another(self, contents):
        made = [b"".join(pieces) for pieces in contents]
        data = flowing(Stream("x", tuple((item,) for item in made), record_io=True))
        assert records(data) == made
        parts = sum(1 + len([at for at in heads(item) if at + 4 <= len(item)]) for item in made)
        assert len(heads(data)) == parts, "the magic number stands where a part begins, and nowhere else"

    def test_the_parts_of_a_record_are_those_of_dmlc(self):
        data = flowing(Stream("x", ((MAGIC + b"four" + MAGIC + MAGIC + b"end",),), record_io=True))
        parts = ((1, b""), (2, b"four"), (2, b""), (3, b"end\0"))
        lengths = (0, 4, 0, 3)
        assert data == b"".join(
            MAGIC + struct.pack("<I", flag << 29 | length) + content
            for (flag, content), length in zip(parts, lengths, strict=True)
        )

    @pytest.mark.parametrize("at", [0, 4, 2**20 - 4, 2**20, 2**20 - 2, 2**21 + 4])
    def test_a_large_file_is_cut_as_well(self, tmp_path, at):
        """It is read in pieces of 1 MiB: the number is found at their ends, not between two words."""
        content = bytearray(2**21 + 11)
        content[at : at + 4] = MAGIC
        (tmp_path / "large").write_bytes(content)
        data = flowing(Stream("x", ((tmp_path / "large",),), record_io=True))
        assert records(data) == [bytes(content)]
        assert len(heads(data)) == (2 if at % 4 == 0 else 1)

    @pytest.mark.parametrize("record_io", [False, True])
    def test_compressed_objects_arrive_as_they_were(self, store, record_io):
        content = os.urandom(3_000_001)
        store.put("s3://bucket/zipped/x.gz", gzip.compress(content, 1))
        given = stream(store, "s3://bucket/zipped", compressed=True, record_io=record_io)
        data = flowing(given)
        assert (records(data) if record_io else [data]) == [content]

    def test_what_is_not_compressed_is_said_so(self, store):
        with pytest.raises(StorageError, match=r"channel train: a cannot be read: Not a gzipped") as caught:
            flowing(stream(store, compressed=True))
        assert "CompressionType" in caught.value.hint

    def test_an_object_that_is_too_long_for_a_record(self, store):
        path = store.path("s3://bucket/data/b")
        with path.open("ab") as file:
            file.truncate(2**29)  # sparse
        with pytest.raises(StepBridgeError, match=r"channel train: b has 536870912 bytes"):
            for _ in stream(store, record_io=True).epoch(0):
                pass

    def test_hosts_share_and_a_seed_gives_each_epoch_its_order(self, store):
        units = tuple((str(n).encode(),) for n in range(10))
        shares = [flowing(Stream("x", units, shard=(host, 2))) for host in range(2)]
        assert shares == [b"02468", b"13579"]
        orders = [flowing(Stream("x", units, seed=7), epoch) for epoch in (0, 1, 0)]
        assert orders[0] == orders[2] != orders[1]
        for epoch in range(3):
            both = [flowing(Stream("x", units, seed=7, shard=(host, 2)), epoch) for host in range(2)]
            assert sorted(b"".join(both)) == sorted(b"0123456789")

    def test_attributes_of_an_augmented_manifest(self, store):
        lines = [
            {"source-ref": "s3://bucket/data/b", "label": 1, "more": {"x": 1}},
            {"source-ref": "s3://bucket/data/a", "label": "cat", "more": {"x": 2}},
        ]
        store.put("s3://bucket/aug", "\n".join(map(json.dumps, lines)).encode())
        units = units_of(
            store,
            "s3://bucket/aug",
            what="x",
            kind="AugmentedManifestFile",
            attributes=("source-ref", "label"),
        )
        assert records(flowing(Stream("x", units, record_io=True))) == [b"two", b"1", b"one,", b"cat"]

    @pytest.mark.parametrize(
        ("text", "attributes", "says"),
        [
            ('{"a": 1}', (), "needs AttributeNames"),
            ('{"a": 1}\n\n{"b": 1}', ("a",), r"line 3: there is no 'a'"),
            ("[]", ("a",), "line 1 is no JSON object"),
            ("{", ("a",), "line 1 is no JSON object"),
            ('{"a-ref": "s3://bucket/none"}', ("a-ref",), "nothing at s3://bucket/none"),
        ],
    )
    def test_a_wrong_augmented_manifest(self, store, text, attributes, says):
        store.put("s3://bucket/aug", text.encode())
        with pytest.raises(StorageError, match=says):
            units_of(store, "s3://bucket/aug", what="x", kind="AugmentedManifestFile", attributes=attributes)


@pytest.fixture
def failures() -> queue.SimpleQueue[StepBridgeError]:
    return queue.SimpleQueue()


@pytest.fixture
def fed(tmp_path: Path, failures) -> Iterator[tuple[Path, Feeder]]:
    """A feeder whose epochs are their own numbers, two megabytes of them."""

    def epoch(number: int) -> Iterator[bytes]:
        for _ in range(2):
            yield str(number).encode() * 2**20

    folder = tmp_path / "data"
    folder.mkdir()
    feeder = Feeder(Pipe(folder, "train", epoch), failures.put)
    before = len(os.listdir("/proc/self/fd")), threading.active_count()  # noqa: PTH208
    feeder.start()
    yield folder, feeder
    feeder.stop()
    feeder.stop()
    assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == before  # noqa: PTH208
    assert [path.name for path in folder.iterdir() if path.is_fifo()] == []


class TestPipes:
    def test_epoch_follows_epoch(self, fed, failures):
        folder, _ = fed
        for number in range(4):
            with (folder / f"train_{number}").open("rb") as pipe:
                assert pipe.read(1) == str(number).encode()
                assert (folder / f"train_{number + 1}").is_fifo()  # before the end of this one
                assert set(pipe.read()) == set(str(number).encode())
            assert not (folder / f"train_{number}").exists()
        assert (folder / "train_4").stat().st_mode & 0o777 == 0o666
        assert failures.empty()

    def test_a_reader_may_have_enough(self, fed):
        folder, _ = fed
        for number in range(3):
            with (folder / f"train_{number}").open("rb") as pipe:
                pipe.read(10)
        with (folder / "train_3").open("rb") as pipe:
            assert len(pipe.read()) == 2**21

    def test_it_ends_while_a_reader_holds_still(self, fed):
        folder, feeder = fed
        with (folder / "train_0").open("rb") as pipe:
            pipe.read(1)
            feeder.stop()
            assert len(pipe.read()) < 2**21

    def test_nothing_in_a_pipe_s_place_is_written_to(self, fed, tmp_path, failures):
        folder, _ = fed
        precious = tmp_path / "precious"
        precious.write_text("mine")
        (folder / "train_0").rename(folder / "elsewhere")
        (folder / "train_0").symlink_to(precious)
        (folder / "train_1").symlink_to(precious)
        with (folder / "elsewhere").open("rb") as pipe:
            pipe.read()
        assert "train_1 of the channel train cannot be made: File exists" in str(failures.get(timeout=5))
        assert precious.read_text() == "mine"
        (folder / "elsewhere").unlink()

    def test_a_failure_is_told(self, tmp_path, failures):
        def epoch(number: int) -> Iterator[bytes]:
            yield b"x"
            raise StorageError("gone")

        feeder = Feeder(Pipe(tmp_path, "train", epoch), failures.put)
        feeder.start()
        assert (tmp_path / "train_0").read_bytes() == b"x"
        assert failures.get(timeout=5).message == "gone"
        feeder.stop()
        assert list(tmp_path.iterdir()) == []
