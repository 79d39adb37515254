"""The store with S3 behind it (`--aws`). A second endpoint of ours stands in for AWS, on the wire."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from stepbridge.errors import StorageError
from stepbridge.storage.cloud import CloudStore, own_s3
from stepbridge.storage.download import shown

from .conftest import MakeClient

PLACEHOLDER = "123456789012"


class Here:
    """This machine: a store, how S3 was asked by it, and what it told the person."""

    def __init__(self, root: Path, client: Any) -> None:
        self.root = root
        self.client = client
        self.told: list[str] = []
        self.asked: list[str] = []
        client.meta.events.register("before-call.s3", lambda model, **named: self.asked.append(model.name))
        self.store = self.again()

    def again(self, **more: float) -> CloudStore:
        """As a new process opens it."""
        self.store = CloudStore(
            self.root, None, client=self.client, placeholder=PLACEHOLDER, tell=self.told.append, **more
        )
        return self.store


@pytest.fixture
def here(tmp_path: Path, client: MakeClient) -> Iterator[Here]:
    here = Here(tmp_path / "here" / "s3", client("s3"))
    yield here
    here.store.close()


@pytest.fixture
def data(s3: Any) -> str:
    s3.create_bucket(Bucket="data")
    for name in ("train/a.csv", "train/deep/b.csv", "training.txt"):
        s3.put_object(Bucket="data", Key=name, Body=name.encode())
    return "data"


def text(store: CloudStore, uri: str) -> str:
    return store.required(uri).path.read_text()


def test_an_object_comes_when_it_is_asked_for(here: Here, data: str) -> None:
    assert text(here.store, "s3://data/train/a.csv") == "train/a.csv"
    assert here.told == ["fetching 1 object (11 B) from S3: s3://data/train/a.csv"]
    before = len(here.asked)
    assert text(here.store, "s3://data/train/a.csv") == "train/a.csv"
    found = here.store.read("data", "train/a.csv")
    assert found is not None
    found[1].close()
    assert len(here.asked) == before, "S3 is asked once in the life of a process"
    assert not here.store.exists("s3://data/nothing")
    assert here.store.head("s3://nowhere/nothing") is None
    assert len(here.told) == 1


def test_a_prefix_comes_whole_and_is_a_folder(here: Here, data: str) -> None:
    folder = here.store.mountable("s3://data/train")
    assert folder is not None
    assert {str(path.relative_to(folder)) for path in folder.rglob("*.csv")} == {"a.csv", "deep/b.csv"}
    assert [info.key for info in here.store.objects("data", "train")] == [
        "train/a.csv",
        "train/deep/b.csv",
        "training.txt",
    ]


def test_what_changed_there_is_fetched_again_by_the_next_process(here: Here, s3: Any, data: str) -> None:
    assert text(here.store, "s3://data/train/a.csv") == "train/a.csv"
    s3.put_object(Bucket="data", Key="train/a.csv", Body=b"new")
    assert text(here.store, "s3://data/train/a.csv") == "train/a.csv"
    assert text(here.again(), "s3://data/train/a.csv") == "new"
    downloads = here.asked.count("GetObject")
    assert text(here.again(), "s3://data/train/a.csv") == "new"
    assert here.asked.count("GetObject") == downloads, "its ETag is what it was"


def test_what_lies_here_wins(here: Here, data: str) -> None:
    here.store.put("s3://data/train/a.csv", b"mine")
    assert text(here.store, "s3://data/train/a.csv") == "mine"
    assert here.store.mountable("s3://data/train") is not None
    assert text(here.store, "s3://data/train/a.csv") == "mine"
    assert text(here.store, "s3://data/train/deep/b.csv") == "train/deep/b.csv"


def test_outputs_go_there_too(here: Here, s3: Any, data: str, tmp_path: Path) -> None:
    output = tmp_path / "output"
    (output / "part").mkdir(parents=True)
    (output / "part" / "one.txt").write_text("1")
    here.store.adopt(output, "s3://data/out")
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(b"model")
    here.store.adopt(archive, "s3://data/models/model.tar.gz")

    assert s3.get_object(Bucket="data", Key="out/part/one.txt")["Body"].read() == b"1"
    assert s3.get_object(Bucket="data", Key="models/model.tar.gz")["Body"].read() == b"model"
    assert text(here.store, "s3://data/out/part/one.txt") == "1"


def test_buckets_of_the_placeholder_account_stay_here(here: Here, tmp_path: Path) -> None:
    output = tmp_path / "file"
    output.write_text("x")
    uri = f"s3://sagemaker-us-east-1-{PLACEHOLDER}/out/file"
    here.store.adopt(output, uri)
    assert text(here.store, uri) == "x"
    assert here.asked == []


def test_a_bucket_that_is_refused_is_told_once(here: Here, client: MakeClient, tmp_path: Path) -> None:
    here.client = client("s3", access_key="somebody else")
    store = here.again()
    assert store.head("s3://private/one") is None
    assert store.head("s3://private/two") is None
    output = tmp_path / "file"
    output.write_text("x")
    store.adopt(output, "s3://private/out")
    assert text(store, "s3://private/out") == "x"
    assert len(here.told) == 1
    assert here.told[0].startswith("S3 refuses something of s3://private, which is taken as missing: ")


def test_an_object_that_may_not_be_read_fails_its_input(here: Here, s3: Any, data: str) -> None:
    """The rest of a prefix would be taken for the whole."""
    download = here.client.download_file

    def refuse(bucket: str, key: str, path: str, **more: Any) -> None:
        if key == "train/deep/b.csv":
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")
        download(bucket, key, path, **more)

    here.client.download_file = refuse
    for _ in range(2):  # it is not forgotten by the next who asks
        with pytest.raises(StorageError, match=r"s3://data/train/deep/b\.csv could not be fetched"):
            here.store.mountable("s3://data/train")
    here.client.download_file = download
    assert here.store.mountable("s3://data/train") is not None
    assert text(here.store, "s3://data/train/deep/b.csv") == "train/deep/b.csv"


def test_a_refusal_of_one_object_leaves_the_others(here: Here, data: str) -> None:
    """Without the right to list, S3 refuses a HEAD of what is not there."""
    head = here.client.head_object

    def refuse(**named: str) -> Any:
        if named["Key"] == "train":
            raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadObject")
        return head(**named)

    here.client.head_object = refuse
    assert here.store.head("s3://data/train") is None
    assert text(here.store, "s3://data/train/a.csv") == "train/a.csv"
    assert len([line for line in here.told if "refuses" in line]) == 1


def test_more_than_the_limit_is_refused_before_anything_is_fetched(here: Here, data: str) -> None:
    """11 bytes and 16: the limit counts what one question would fetch, without what is here already."""
    store = here.again(limit=26.0)
    for _ in range(2):
        with pytest.raises(StorageError) as caught:
            store.mountable("s3://data/train")
        assert (
            caught.value.message == "--aws: s3://data/train/ has 2 objects (27 B) to fetch; the limit is 26 B"
        )
        assert caught.value.hint.startswith("Raise aws-limit-gb in stepbridge.toml, or put a sample there:")
    assert "GetObject" not in here.asked
    assert here.told == []
    assert text(store, "s3://data/train/a.csv") == "train/a.csv"
    folder = store.mountable("s3://data/train")
    assert folder is not None
    assert (folder / "deep" / "b.csv").read_text() == "train/deep/b.csv"
    with pytest.raises(StorageError, match=r"s3://data/training\.txt has 1 object \(12 B\) to fetch"):
        here.again(limit=11.0).head("s3://data/training.txt")
    assert here.again(limit=12.0).head("s3://data/training.txt") is not None


def test_a_long_download_tells_how_far_it_has_come(here: Here, s3: Any, data: str) -> None:
    s3.put_object(Bucket="data", Key="big/one", Body=bytes(1_500_000))
    s3.put_object(Bucket="data", Key="big/two", Body=bytes(1_500_000))
    here.again(progress_seconds=0.0).mountable("s3://data/big")
    first, *others = here.told
    assert first == "fetching 2 objects (3 MB) from S3: s3://data/big/"
    found = [re.fullmatch(r"fetched (.+) of 3 MB \((\d+)%\) from s3://data/big/", line) for line in others]
    assert found
    assert all(found)
    shares = sorted(int(match[2]) for match in found if match)
    assert 0 <= shares[0] < shares[-1] <= 100
    here.told.clear()
    s3.put_object(Bucket="data", Key="more/one", Body=bytes(1_500_000))
    here.again().mountable("s3://data/more")
    assert here.told == ["fetching 1 object (1.5 MB) from S3: s3://data/more/"], "a short one is not told of"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1234, "1.23 kB"),
        (99_960, "100 kB"),
        (999_600, "1 MB"),
        (12e9, "12 GB"),
        (3e18, "3000 PB"),
    ],
)
def test_sizes_in_words(size: float, text: str) -> None:
    assert shown(size) == text


def test_no_network_is_told_once(here: Here, client: MakeClient) -> None:
    here.client = client("s3", endpoint_url="http://127.0.0.1:9")
    store = here.again()
    assert store.head("s3://data/one") is None
    assert list(store.objects("data", "train/")) == []
    assert len(here.told) == 1
    assert "127.0.0.1:9" in here.told[0]


def test_two_steps_may_ask_at_the_same_time(here: Here, data: str) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(text(here.store, "s3://data/training.txt")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["training.txt"] * 8
    assert here.asked.count("GetObject") == 1


def test_without_credentials_it_is_said_what_to_do() -> None:
    with pytest.raises(StorageError, match="no AWS credentials") as caught:
        own_s3("us-east-1")
    assert "AWS_PROFILE" in caught.value.hint
