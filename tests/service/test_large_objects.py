"""Large objects go through the endpoint without being held in memory."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig

from .conftest import ACCESS_KEY, REGION, SECRET_KEY

MEGABYTES = 300

SERVER = textwrap.dedent(
    """
    import resource, sys
    from pathlib import Path
    from stepbridge.service import Endpoint, Records, SageMakerApi
    from stepbridge.storage import ObjectStore

    root, key, secret = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    store, records = ObjectStore(root / "s3"), Records(root / "records.sqlite")
    api = SageMakerApi(None, records, store, region="eu-central-1", account="123456789012")
    endpoint = Endpoint(
        store, api, access_key=key, secret_key=secret, region="eu-central-1", account="123456789012"
    )
    endpoint.start()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(endpoint.url, flush=True)
    sys.stdin.read()
    endpoint.stop()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, flush=True)
    """
)


def test_three_hundred_megabytes_up_copied_and_down(tmp_path: Path) -> None:
    source = tmp_path / "large.bin"
    block = os.urandom(1 << 20)
    with source.open("wb") as file:
        for number in range(MEGABYTES):
            file.write(number.to_bytes(4, "big") + block[4:])
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path / "state"), ACCESS_KEY, SECRET_KEY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert server.stdout
    assert server.stdin
    try:
        _transfer(server.stdout.readline().strip(), source, tmp_path)
        server.stdin.close()
        grown = int(server.stdout.readline())  # in KiB on Linux, in bytes on macOS
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    kib = grown // 1024 if sys.platform == "darwin" else grown
    assert kib < 64 * 1024, f"the endpoint's memory grew by {kib // 1024} MiB"


def _transfer(url: str, source: Path, folder: Path) -> None:
    s3: Any = boto3.client(
        "s3",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )
    s3.create_bucket(Bucket="b00", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.upload_file(str(source), "b00", "parts.bin", Config=TransferConfig(multipart_chunksize=32 << 20))
    with source.open("rb") as file:
        s3.put_object(Bucket="b00", Key="whole.bin", Body=file)
    s3.copy_object(Bucket="b00", Key="copy.bin", CopySource="b00/whole.bin")
    target = folder / "back.bin"
    for key in ("parts.bin", "copy.bin"):
        s3.download_file("b00", key, str(target))
        assert _same(source, target)


def _same(one: Path, other: Path) -> bool:
    with one.open("rb") as left, other.open("rb") as right:
        while True:
            a, b = left.read(1 << 20), right.read(1 << 20)
            if a != b:
                return False
            if not a:
                return True
