"""The store with the user's own S3 behind it (`--aws`): what is missing here comes from there.

Reads: an object, or all objects of an input's prefix, are fetched when they are first asked for, kept, and
asked for again (by ETag) once in the life of a process. What lies here and was not fetched wins: outputs,
uploads, what a person placed. Listings of the wire show what is here. Writes: outputs of jobs go to S3 too,
when the job has ended. Buckets whose name carries the placeholder account belong to this machine alone.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

from stepbridge.errors import StorageError

from .download import Progress, Remote, counted, shown, total
from .keys import parse_uri
from .objects import ObjectInfo, ObjectStore

_AT_A_TIME = 8  # downloads and uploads
_PROGRESS_SECONDS = 5.0  # between two words on a long download
_NOT_THERE = ("404", "NoSuchKey", "NoSuchBucket")


def own_s3(region: str) -> Any:
    """A client of S3 with the user's own credentials; `AWS_ENDPOINT_URL_S3` and profiles count.

    Raises:
        StorageError: there are no credentials.
    """
    import boto3

    session = boto3.session.Session()
    if session.get_credentials() is None:
        raise StorageError(
            "--aws: there are no AWS credentials", "Log in (aws sso login), or set AWS_PROFILE or the keys."
        )
    return session.client("s3", region_name=session.region_name or region)


class CloudStore(ObjectStore):
    """An `ObjectStore` whose missing objects come from S3, and whose adopted outputs go there.

    Args:
        client: boto3's client of S3.
        placeholder: an account; buckets that carry it in their name are never asked for.
        tell: called, from any thread, with a sentence for the person who waits.
        limit: most bytes that one object or prefix may have to be fetched.
        progress_seconds: between two sentences on a long download.
    """

    def __init__(
        self,
        root: Path,
        data: Mapping[str, Path] | None,
        *,
        client: Any,
        placeholder: str,
        tell: Callable[[str], None],
        limit: float = math.inf,
        progress_seconds: float = _PROGRESS_SECONDS,
    ) -> None:
        super().__init__(root, data)
        self._client = client
        self._placeholder = placeholder
        self._tell = tell
        self._limit = limit
        self._progress_seconds = progress_seconds
        self._lock = threading.RLock()
        self._asked: set[str] = set()  # URIs of objects and prefixes, in the life of this process
        self._told: set[str] = set()  # buckets of which a person was told that S3 refuses something
        self._unreachable = False
        self._record = self.side / "fetched.json"
        self._fetched: dict[str, str] = {}  # URI -> ETag there
        with contextlib.suppress(OSError, ValueError):
            self._fetched = json.loads(self._record.read_text("utf-8"))

    # what the store is asked

    def exists(self, uri: str) -> bool:
        self._fetch_object(*self._address(uri))
        return super().exists(uri)

    def head(self, uri_or_bucket: str, key: str | None = None) -> ObjectInfo | None:
        self._fetch_object(*self._address(uri_or_bucket, key))
        return super().head(uri_or_bucket, key)

    def read(self, bucket: str, key: str) -> tuple[ObjectInfo, BinaryIO] | None:
        self._fetch_object(*self._address(bucket, key))
        return super().read(bucket, key)

    def objects(self, bucket: str, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        self._fetch_prefix(bucket, prefix)
        return super().objects(bucket, prefix, after)

    def mountable(self, uri: str) -> Path | None:
        bucket, key = self._address(uri)
        self._fetch_prefix(bucket, f"{key.rstrip('/')}/" if key else "")
        return super().mountable(uri)

    def adopt(self, source: Path, uri: str) -> tuple[str, ...]:
        left_out = super().adopt(source, uri)
        self._push(uri)
        return left_out

    # fetching

    def _fetch_object(self, bucket: str, key: str) -> None:
        uri = f"s3://{bucket}/{key}"
        if not key or self._is_settled(bucket, uri) or (uri not in self._fetched and super().exists(uri)):
            return
        with self._lock:
            if self._is_settled(bucket, uri):
                return
            there = None
            with self._patience(bucket):
                there = self._client.head_object(Bucket=bucket, Key=key)
            if there is not None:
                self._download(uri, [Remote(bucket, key, there["ETag"], there["ContentLength"])])
            self._asked.add(uri)

    def _fetch_prefix(self, bucket: str, prefix: str) -> None:
        uri = f"s3://{bucket}/{prefix}*"
        if self._is_settled(bucket, uri):
            return
        with self._lock:
            if self._is_settled(bucket, uri):
                return
            found: list[dict[str, Any]] = []
            with self._patience(bucket):
                pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
                found = [item for page in pages for item in page.get("Contents", ())]
            self._download(
                f"s3://{bucket}/{prefix}",
                [
                    Remote(bucket, item["Key"], item["ETag"], item["Size"])
                    for item in found
                    if not item["Key"].endswith("/")
                ],
            )
            self._asked |= {uri, *(f"s3://{bucket}/{item['Key']}" for item in found)}

    def _is_settled(self, bucket: str, uri: str) -> bool:
        return self._placeholder in bucket or self._unreachable or uri in self._asked

    def _is_wanted(self, item: Remote) -> bool:
        known = self._fetched.get(item.uri)
        return known != item.etag if known is not None else not super().exists(item.uri)

    def _download(self, uri: str, found: list[Remote]) -> None:
        """Fetch what is not here as it is there.

        Args:
            uri: what was asked for, an object or a prefix.

        Raises:
            StorageError: it is more than the limit, or some of it does not come: a part of an input is none.
        """
        wanted = [item for item in found if self._is_wanted(item)]
        if not wanted:
            return
        if total(wanted) > self._limit:
            raise StorageError(
                f"--aws: {uri} has {counted(wanted)} to fetch; the limit is {shown(self._limit)}",
                "Raise aws-limit-gb in stepbridge.toml, or put a sample there: stepbridge data put PATH "
                f"{uri}, or [data].",
            )
        self._tell(f"fetching {counted(wanted)} from S3: {uri}")
        progress = Progress(uri, total(wanted), self._tell, self._progress_seconds)
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            list(pool.map(lambda item: self._download_one(item, progress), wanted))
        part = self._record.with_suffix(".part")
        part.write_text(json.dumps(self._fetched), "utf-8")
        part.replace(self._record)
        self.owner.give(self._record)

    def _download_one(self, item: Remote, progress: Progress) -> None:
        import boto3.exceptions
        import botocore.exceptions

        bucket, key = item.bucket, item.key
        temporary = self.side / "incoming" / f"{os.getpid()}-{secrets.token_hex(8)}"
        try:
            self._client.download_file(bucket, key, str(temporary), Callback=progress.add)
            super().adopt(temporary, item.uri)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            raise _failed(bucket, key, error) from None
        except boto3.exceptions.Boto3Error as error:  # of a transfer in parts
            raise _failed(bucket, key, error) from None
        finally:
            temporary.unlink(missing_ok=True)
        self._fetched[item.uri] = item.etag

    # writing

    def _push(self, uri: str) -> None:
        bucket, key = parse_uri(uri)
        if self._placeholder in bucket or self._unreachable:
            return
        prefix = f"{key.rstrip('/')}/"
        ours = [
            info for info in super().objects(bucket, key) if info.key == key or info.key.startswith(prefix)
        ]
        with self._lock:
            for info in ours:
                self._fetched.pop(info.uri, None)  # it is ours now
        with self._patience(bucket), ThreadPoolExecutor(_AT_A_TIME) as pool:
            list(pool.map(lambda info: self._client.upload_file(str(info.path), bucket, info.key), ours))

    @contextlib.contextmanager
    def _patience(self, bucket: str) -> Iterator[None]:
        """What S3 has not, or refuses, is not there (a refusal is told). Without S3 we go on alone."""
        import boto3.exceptions
        import botocore.exceptions

        try:
            yield
        except botocore.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in _NOT_THERE:
                self._tell_once(bucket, str(error))
        except boto3.exceptions.S3UploadFailedError as error:
            self._tell_once(bucket, str(error))
        except botocore.exceptions.BotoCoreError as error:
            self._unreachable = True
            self._tell(f"S3 cannot be reached, what is here has to do: {error}")

    def _tell_once(self, bucket: str, reason: str) -> None:
        if bucket not in self._told:
            self._told.add(bucket)
            self._tell(f"S3 refuses something of s3://{bucket}, which is taken as missing: {reason}")


def _failed(bucket: str, key: str, error: Exception) -> StorageError:
    return StorageError(
        f"s3://{bucket}/{key} could not be fetched: {error}",
        "Run again when S3 lets you read it, or place a file there: stepbridge data put.",
    )
