"""Listings of any set of keys, with any prefix, delimiter and page size, against a model of S3's rules."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stepbridge.service import Records
from stepbridge.service.http import Headers, Request, parse_target
from stepbridge.service.s3 import S3Api
from stepbridge.storage import ObjectStore

KEYS = st.text(alphabet="ab/-é ", min_size=1, max_size=5).filter(lambda key: not key.startswith("/"))
NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class _NoBody:
    def read(self, size: int) -> bytes:
        return b""


def _get(api: S3Api, **query: str) -> ElementTree.Element:
    target = f"/b00?{urlencode(query)}"
    raw, path, parsed = parse_target(target)
    answer = api.answer(Request("GET", target, raw, path, parsed, Headers(), _NoBody(), ""))
    assert isinstance(answer.body, bytes)
    assert answer.status == 200, answer.body
    return ElementTree.fromstring(answer.body)


def _text(node: ElementTree.Element, name: str) -> str:
    return node.findtext(NAMESPACE + name) or ""


def _pages(api: S3Api, version: int, prefix: str, delimiter: str, size: int) -> Iterator[list[str]]:
    """Names (keys, and common prefixes) of each page, in the order of the page."""
    query = {"prefix": prefix, "delimiter": delimiter, "max-keys": str(size)}
    more = {"list-type": "2"} if version == 2 else {}
    while True:
        page = _get(api, **query, **more)
        keys = [_text(node, "Key") for node in page.iter(NAMESPACE + "Contents")]
        prefixes = [_text(node, "Prefix") for node in page.iter(NAMESPACE + "CommonPrefixes")]
        names = sorted(keys + prefixes, key=str.encode)
        assert len(names) <= size
        yield names
        if _text(page, "IsTruncated") == "false":
            return
        if version == 2:
            more["continuation-token"] = _text(page, "NextContinuationToken")
        else:
            more["marker"] = _text(page, "NextMarker") or keys[-1]


def _expected(keys: set[str], prefix: str, delimiter: str) -> list[str]:
    names = set()
    for key in keys:
        if key.startswith(prefix):
            rest = key[len(prefix) :]
            cut = rest.find(delimiter) if delimiter else -1
            names.add(key if cut < 0 else prefix + rest[: cut + len(delimiter)])
    return sorted(names, key=str.encode)


@pytest.mark.parametrize("version", [1, 2])
@given(
    keys=st.sets(KEYS, max_size=12),
    prefix=st.text(alphabet="ab/", max_size=3),
    delimiter=st.sampled_from(["", "/", "a", "-"]),
    size=st.integers(1, 5),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_hold_every_name_once_in_order(
    version: int,
    tmp_path_factory: pytest.TempPathFactory,
    keys: set[str],
    prefix: str,
    delimiter: str,
    size: int,
) -> None:
    root = tmp_path_factory.mktemp("state")
    store, records = ObjectStore(root / "s3"), Records(root / "records.sqlite")
    api = S3Api(store, records, region="us-east-1", account="123456789012")
    store.create_bucket("b00")
    for key in keys:
        store.put(f"s3://b00/{key}", b"")
    listed = [name for page in _pages(api, version, prefix, delimiter, size) for name in page]
    assert listed == _expected(keys, prefix, delimiter)
    store.close()
    records.close()
