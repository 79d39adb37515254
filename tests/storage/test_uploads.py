"""Multipart uploads survive the process that began them, and end without leftovers."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest
from stepbridge.errors import StorageError
from stepbridge.storage import Details, ObjectStore
from stepbridge.storage.uploads import Part, Upload, Uploads


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "state" / "s3")


def add(store: ObjectStore, uploads: Uploads, upload: Upload, number: int, data: bytes) -> Part:
    incoming = store.incoming()
    incoming.write(data)
    return uploads.add(upload, number, incoming)


def test_parts_become_one_object_in_another_process(store: ObjectStore) -> None:
    uploads = Uploads(store)
    begun = uploads.start("b00", "a/b", Details(content_type="text/csv"))
    add(store, uploads, begun, 2, b"two")
    add(store, uploads, begun, 1, b"first try")
    add(store, uploads, begun, 1, b"one")

    later = Uploads(ObjectStore(store.root))
    upload = later.find(begun.id, "b00", "a/b")
    assert upload is not None
    info = later.complete(upload, later.parts(upload))
    assert info.path.read_bytes() == b"onetwo"
    assert info.content_type == "text/csv"
    digests = hashlib.md5(b"one").digest() + hashlib.md5(b"two").digest()
    assert info.etag == hashlib.md5(digests).hexdigest() + "-2"
    assert later.find(begun.id, "b00", "a/b") is None
    assert later.all("b00") == []


def test_an_upload_belongs_to_its_object(store: ObjectStore) -> None:
    uploads = Uploads(store)
    begun = uploads.start("b00", "a", Details())
    assert uploads.find(begun.id, "b00", "other") is None
    assert uploads.find("../../etc", "b00", "a") is None
    with pytest.raises(StorageError):
        uploads.start("b00", "../a", Details())


def test_a_part_that_comes_after_the_end(store: ObjectStore) -> None:
    uploads = Uploads(store)
    begun = uploads.start("b00", "a", Details())
    uploads.abort(begun)
    with pytest.raises(StorageError, match="has ended"):
        add(store, uploads, begun, 1, b"late")


def test_old_leftovers_are_swept(store: ObjectStore) -> None:
    uploads = Uploads(store)
    begun = uploads.start("b00", "a", Details())
    incoming = store.incoming()
    incoming.close()
    os.utime(incoming.path, (1, 1))
    uploads.sweep(time.time() - 60)
    store.sweep()
    assert uploads.find(begun.id, "b00", "a") is not None
    assert not incoming.path.exists()
    uploads.sweep(time.time() + 1)
    assert uploads.find(begun.id, "b00", "a") is None
