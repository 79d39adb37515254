"""S3 as boto3, its transfer manager and resources use it."""

from __future__ import annotations

import io
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from stepbridge.service.endpoint import Endpoint
from stepbridge.storage import ObjectStore

from .conftest import ACCESS_KEY, ACCOUNT, REGION, SECRET_KEY

BUCKET = "sagemaker-eu-central-1-123456789012"


@pytest.fixture
def bucket(s3: Any) -> str:
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    return BUCKET


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def status(error: pytest.ExceptionInfo[ClientError]) -> int:
    return int(error.value.response["ResponseMetadata"]["HTTPStatusCode"])


def body(s3: Any, key: str, **options: Any) -> bytes:
    return bytes(s3.get_object(Bucket=BUCKET, Key=key, **options)["Body"].read())


def test_what_is_put_is_a_plain_file_and_comes_back(s3: Any, bucket: str, store: ObjectStore) -> None:
    put = s3.put_object(
        Bucket=bucket,
        Key="a b/ü&<>.txt",
        Body=b"hello",
        ContentType="text/plain",
        Metadata={"origin": "test"},
        CacheControl="no-cache",
        Tagging="k=v&x=y%20z",
    )
    assert (store.root / bucket / "a b/ü&<>.txt").read_bytes() == b"hello"
    got = s3.get_object(Bucket=bucket, Key="a b/ü&<>.txt")
    assert got["Body"].read() == b"hello"
    assert got["ETag"] == put["ETag"] == '"5d41402abc4b2a76b9719d911017c592"'
    assert got["ContentType"] == "text/plain"
    assert got["Metadata"] == {"origin": "test"}
    assert got["CacheControl"] == "no-cache"
    assert got["TagCount"] == 2
    head = s3.head_object(Bucket=bucket, Key="a b/ü&<>.txt")
    assert (head["ContentLength"], head["AcceptRanges"]) == (5, "bytes")


def test_a_file_that_lies_in_the_folder_is_an_object(s3: Any, bucket: str, store: ObjectStore) -> None:
    (store.root / bucket / "placed.csv").write_text("1,2")
    assert body(s3, "placed.csv") == b"1,2"
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["placed.csv"]


def test_ranges(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    assert body(s3, "k", Range="bytes=2-4") == b"234"
    assert body(s3, "k", Range="bytes=7-") == b"789"
    assert body(s3, "k", Range="bytes=-2") == b"89"
    assert body(s3, "k", Range="bytes=8-100") == b"89"
    got = s3.get_object(Bucket=bucket, Key="k", Range="bytes=2-4")
    assert got["ContentRange"] == "bytes 2-4/10"
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="k", Range="bytes=10-")
    assert (code(error), status(error)) == ("InvalidRange", 416)


def test_an_empty_object(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    assert body(s3, "empty") == b""
    assert s3.head_object(Bucket=bucket, Key="empty")["ContentLength"] == 0


def test_conditions(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    assert body(s3, "k", IfMatch=etag) == b"1"
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="k", IfMatch='"other"')
    assert code(error) == "PreconditionFailed"
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=etag)
    assert status(error) == 304
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="k", IfModifiedSince=modified)
    assert status(error) == 304
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert (code(error), status(error)) == ("PreconditionFailed", 412)
    s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=etag)
    assert body(s3, "k") == b"2"


def test_a_missing_object_says_how_to_provide_it(s3: Any, bucket: str) -> None:
    with pytest.raises(s3.exceptions.NoSuchKey, match=f"stepbridge data put FILE s3://{BUCKET}/no/such"):
        s3.get_object(Bucket=bucket, Key="no/such")
    with pytest.raises(ClientError) as error:
        s3.head_object(Bucket=bucket, Key="no/such")
    assert error.value.response["Error"] == {"Code": "404", "Message": "Not Found"}


def test_a_missing_bucket(s3: Any) -> None:
    for call in (
        lambda: s3.put_object(Bucket="nowhere", Key="k", Body=b""),
        lambda: s3.get_object(Bucket="nowhere", Key="k"),
        lambda: s3.list_objects_v2(Bucket="nowhere"),
        lambda: s3.delete_object(Bucket="nowhere", Key="k"),
        lambda: s3.create_multipart_upload(Bucket="nowhere", Key="k"),
    ):
        with pytest.raises(s3.exceptions.NoSuchBucket):
            call()
    with pytest.raises(ClientError) as error:
        s3.head_bucket(Bucket="nowhere")
    assert error.value.response["Error"] == {"Code": "404", "Message": "Not Found"}


@pytest.mark.parametrize("key", ["../../outside", "a/../../outside", "..", "a/.."])
def test_keys_that_leave_the_bucket_are_refused(s3: Any, bucket: str, key: str, tmp_path: Path) -> None:
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert code(error) == "InvalidArgument"
    assert not list(tmp_path.rglob("outside*"))


@pytest.mark.parametrize("key", ["folder/", "a//b", "./a", "n" * 300])
def test_odd_keys(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"odd")
    assert body(s3, key) == b"odd"
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    s3.delete_object(Bucket=bucket, Key=key)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_listing_with_delimiter_and_pages(s3: Any, bucket: str, store: ObjectStore) -> None:
    for key in ("a/1", "a/2", "b", "c/d/1", "c/e", "d&e", "e f", "z/9"):
        store.put(f"s3://{bucket}/{key}", b"x")
    whole = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [p["Prefix"] for p in whole["CommonPrefixes"]] == ["a/", "c/", "z/"]
    assert [o["Key"] for o in whole["Contents"]] == ["b", "d&e", "e f"]
    assert whole["KeyCount"] == 6
    for operation in ("list_objects_v2", "list_objects"):
        pages = list(
            s3.get_paginator(operation).paginate(
                Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}
            )
        )
        names = [
            *(p["Prefix"] for page in pages for p in page.get("CommonPrefixes", [])),
            *(o["Key"] for page in pages for o in page.get("Contents", [])),
        ]
        assert names == ["a/", "c/", "z/", "b", "d&e", "e f"]
        assert len(pages) == 6
    below = s3.list_objects_v2(Bucket=bucket, Prefix="c/", Delimiter="/")
    assert [p["Prefix"] for p in below["CommonPrefixes"]] == ["c/d/"]
    assert [o["Key"] for o in below["Contents"]] == ["c/e"]
    after = s3.list_objects_v2(Bucket=bucket, StartAfter="c/d/1", MaxKeys=1)
    assert [o["Key"] for o in after["Contents"]] == ["c/e"]
    assert after["IsTruncated"]
    other = s3.list_objects_v2(Bucket=bucket, Delimiter="&")
    assert [p["Prefix"] for p in other["CommonPrefixes"]] == ["d&"]


def test_listing_more_than_a_page(s3: Any, bucket: str, store: ObjectStore) -> None:
    folder = store.root / bucket / "many"
    folder.mkdir()
    for number in range(2300):
        (folder / f"{number:05}").touch()
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket))
    assert [len(page["Contents"]) for page in pages] == [1000, 1000, 300]
    versions = s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
    assert sum(len(page["Versions"]) for page in versions) == 2300


def test_delete_many(s3: Any, bucket: str, store: ObjectStore) -> None:
    for key in ("a", "b", "c<>&"):
        store.put(f"s3://{bucket}/{key}", b"")
    answer = s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": "a"}, {"Key": "c<>&"}, {"Key": "never was"}]}
    )
    assert sorted(d["Key"] for d in answer["Deleted"]) == ["a", "c<>&", "never was"]
    assert [o.key for o in store.objects(bucket)] == ["b"]


def test_resource_api_empties_a_bucket(endpoint: Endpoint, s3: Any, bucket: str, store: ObjectStore) -> None:
    for number in range(5):
        store.put(f"s3://{bucket}/{number}", b"")
    resource = boto3.resource(
        "s3",
        endpoint_url=endpoint.url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )
    with pytest.raises(ClientError) as error:
        s3.delete_bucket(Bucket=bucket)
    assert code(error) == "BucketNotEmpty"
    resource.Bucket(bucket).objects.all().delete()
    assert resource.Bucket(bucket).creation_date is not None
    s3.delete_bucket(Bucket=bucket)
    assert s3.list_buckets()["Buckets"] == [b for b in s3.list_buckets()["Buckets"] if b["Name"] != bucket]


def test_copies(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="src dir/ü", Body=b"data", ContentType="text/csv", Metadata={"m": "1"})
    s3.copy_object(Bucket=bucket, Key="dst", CopySource={"Bucket": bucket, "Key": "src dir/ü"})
    got = s3.get_object(Bucket=bucket, Key="dst")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"data", "text/csv", {"m": "1"})
    s3.copy_object(
        Bucket=bucket,
        Key="dst",
        CopySource=f"{bucket}/dst",
        MetadataDirective="REPLACE",
        Metadata={"m": "2"},
        ContentType="text/html",
    )
    head = s3.head_object(Bucket=bucket, Key="dst")
    assert (head["Metadata"], head["ContentType"]) == ({"m": "2"}, "text/html")
    with pytest.raises(ClientError) as error:
        s3.copy_object(Bucket=bucket, Key="dst", CopySource=f"{bucket}/dst")
    assert code(error) == "InvalidRequest"
    with pytest.raises(ClientError) as error:
        s3.copy_object(Bucket=bucket, Key="x", CopySource=f"{bucket}/missing")
    assert code(error) == "NoSuchKey"


def test_tags_attributes_and_acl(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "b&c"}]})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "a", "Value": "b&c"}]
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    attributes = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ETag", "ObjectSize"])
    assert attributes["ObjectSize"] == 1
    assert s3.get_object_acl(Bucket=bucket, Key="k")["Grants"][0]["Permission"] == "FULL_CONTROL"


def test_bucket_settings(s3: Any, bucket: str) -> None:
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == REGION
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert s3.get_bucket_acl(Bucket=bucket)["Owner"]["ID"] == ACCOUNT
    with pytest.raises(ClientError) as error:
        s3.get_bucket_tagging(Bucket=bucket)
    assert code(error) == "NoSuchTagSet"
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "team", "Value": "ml"}]})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "team", "Value": "ml"}]
    s3.put_bucket_policy(Bucket=bucket, Policy='{"Version": "2012-10-17", "Statement": []}')
    assert '"Statement": []' in s3.get_bucket_policy(Bucket=bucket)["Policy"]
    s3.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True, "BlockPublicPolicy": True}
    )
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert block["BlockPublicAcls"] is True


def test_buckets(s3: Any, bucket: str) -> None:
    assert s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == REGION
    with pytest.raises(ClientError) as error:
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    assert code(error) == "BucketAlreadyOwnedByYou"
    with pytest.raises(ClientError) as error:
        s3.head_bucket(Bucket=bucket, ExpectedBucketOwner="999999999999")
    assert error.value.response["Error"] == {"Code": "403", "Message": "Forbidden"}
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["public-data", bucket]


def test_transfer_in_parts(s3: Any, bucket: str, tmp_path: Path) -> None:
    source = tmp_path / "large.bin"
    data = bytes(range(256)) * 4096 * 12  # 12 MiB
    source.write_bytes(data)
    config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20, max_concurrency=3)
    s3.upload_file(str(source), bucket, "large.bin", ExtraArgs={"Metadata": {"a": "b"}}, Config=config)
    head = s3.head_object(Bucket=bucket, Key="large.bin")
    assert head["ETag"].endswith('-3"')
    assert head["Metadata"] == {"a": "b"}
    target = tmp_path / "back.bin"
    s3.download_file(bucket, "large.bin", str(target), Config=config)
    assert target.read_bytes() == data
    s3.copy({"Bucket": bucket, "Key": "large.bin"}, bucket, "copied.bin", Config=config)
    s3.download_file(bucket, "copied.bin", str(target), Config=config)
    assert target.read_bytes() == data
    assert s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_multipart_by_hand(s3: Any, bucket: str, store: ObjectStore) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m", ContentType="text/plain")["UploadId"]
    big = b"x" * (5 << 20)
    tags = {
        number: s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=number, Body=data)["ETag"]
        for number, data in ((2, b"end"), (1, big), (7, b"never named"))
    }
    assert [p["PartNumber"] for p in s3.list_parts(Bucket=bucket, Key="m", UploadId=upload)["Parts"]] == [
        1,
        2,
        7,
    ]
    assert [u["Key"] for u in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == ["m"]

    def complete(*parts: tuple[int, str]) -> Any:
        named = [{"PartNumber": number, "ETag": etag} for number, etag in parts]
        return s3.complete_multipart_upload(
            Bucket=bucket, Key="m", UploadId=upload, MultipartUpload={"Parts": named}
        )

    with pytest.raises(ClientError) as error:
        complete((1, '"00000000000000000000000000000000"'))
    assert code(error) == "InvalidPart"
    with pytest.raises(ClientError) as error:
        complete((2, tags[2]), (1, tags[1]))
    assert code(error) == "InvalidPartOrder"
    with pytest.raises(ClientError) as error:
        complete((2, tags[2]), (7, tags[7]))
    assert code(error) == "EntityTooSmall"
    complete((1, tags[1]), (2, tags[2]))
    assert store.path(f"s3://{bucket}/m").read_bytes() == big + b"end"
    with pytest.raises(ClientError) as error:
        s3.list_parts(Bucket=bucket, Key="m", UploadId=upload)
    assert code(error) == "NoSuchUpload"
    assert list((store.side / "uploads").iterdir()) == []


def test_aborted_uploads_leave_nothing(s3: Any, bucket: str, store: ObjectStore) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(Bucket=bucket, Key="m", UploadId=upload)
    assert list((store.side / "uploads").iterdir()) == []
    assert list((store.side / "incoming").iterdir()) == []


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums_come_back(s3: Any, bucket: str, algorithm: str) -> None:
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm=algorithm)
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == b"hello"  # botocore compares while it reads
    assert got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]


def test_trailing_checksum_of_a_stream(s3: Any, bucket: str, endpoint: Endpoint) -> None:
    """What botocore sends over TLS and newer SDKs always: aws-chunked framing with a trailer."""
    request = _signed(
        endpoint,
        f"/{bucket}/chunked",
        b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n",
        {
            "Content-Encoding": "aws-chunked",
            "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "x-amz-trailer": "x-amz-checksum-crc32",
            "x-amz-decoded-content-length": "11",
        },
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["x-amz-checksum-crc32"] == "DUoRhQ=="
    assert body(s3, "chunked") == b"hello world"
    assert "ContentEncoding" not in s3.head_object(Bucket=bucket, Key="chunked")


def test_a_wrong_checksum_is_refused(s3: Any, bucket: str, endpoint: Endpoint) -> None:
    request = _signed(
        endpoint,
        f"/{bucket}/k",
        b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
        {
            "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "x-amz-trailer": "x-amz-checksum-crc32",
        },
    )
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request)
    assert error.value.code == 400
    assert b"<Code>BadDigest</Code>" in error.value.read()
    with pytest.raises(ClientError):
        s3.head_object(Bucket=bucket, Key="k")


def _signed(
    endpoint: Endpoint, path: str, data: bytes, headers: dict[str, str], method: str = "PUT"
) -> urllib.request.Request:
    credential = f"{ACCESS_KEY}/20250101/{REGION}/s3/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, Signature=0", **headers}
    return urllib.request.Request(endpoint.url + path, data, headers, method=method)


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_presigned_urls(client: Any, bucket: str, version: str) -> None:
    s3 = client("s3", config=Config(signature_version=version))
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "p/q"})
    urllib.request.urlopen(urllib.request.Request(url, b"by link", method="PUT")).close()
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "p/q"})
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"by link"
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(url.replace(ACCESS_KEY, "AKIASOMEBODYELSE0000"))
    assert error.value.code == 403


def test_virtual_host_style(endpoint: Endpoint, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a/b", Body=b"hosted")
    for host in (
        f"{bucket}.s3.{REGION}.amazonaws.com",
        f"{bucket}.s3.amazonaws.com",
        f"{bucket}.localhost:80",
    ):
        request = _signed(endpoint, "/a/b", b"", {"Host": host}, "GET")
        with urllib.request.urlopen(request) as answer:
            assert answer.read() == b"hosted"


def test_local_data_is_served_and_read_only(s3: Any, tmp_path: Path) -> None:
    assert s3.get_object(Bucket="public-data", Key="census/census.csv")["Body"].read() == b"age\n39\n"
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="public-data")["Contents"]] == ["census/census.csv"]
    with pytest.raises(ClientError) as error:
        s3.delete_object(Bucket="public-data", Key="census/census.csv")
    assert code(error) == "AccessDenied"
    assert (tmp_path / "local data" / "census.csv").exists()
    answer = s3.delete_objects(Bucket="public-data", Delete={"Objects": [{"Key": "census/census.csv"}]})
    assert answer["Errors"][0]["Code"] == "AccessDenied"


def test_unknown_calls_name_themselves(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    with pytest.raises(ClientError) as error:
        s3.select_object_content(
            Bucket=bucket,
            Key="k",
            Expression="SELECT 1",
            ExpressionType="SQL",
            InputSerialization={"CSV": {}},
            OutputSerialization={"CSV": {}},
        )
    assert code(error) == "NotImplemented"
    assert "select" in str(error.value)


def test_concurrent_clients(s3: Any, bucket: str) -> None:
    """Several threads on the same keys: every read is whole, none is lost."""
    failures: list[str] = []

    def work(name: int) -> None:
        for number in range(25):
            data = str(name).encode() * (1000 + number)
            s3.put_object(Bucket=bucket, Key="shared", Body=data)
            s3.upload_fileobj(io.BytesIO(data), bucket, f"own/{name}/{number}")
            got = body(s3, "shared")
            if len(set(got)) != 1:
                failures.append(f"torn read of {len(got)} bytes")

    threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert s3.list_objects_v2(Bucket=bucket, Prefix="own/")["KeyCount"] == 150
