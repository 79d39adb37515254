"""Files become records, records requests, and answers are joined to their records."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stepbridge.jobs.json_path import JsonPath
from stepbridge.jobs.plan import JobFailure
from stepbridge.jobs.records import Batch, DataProcessing, batches, split

LINES = b"a,1\nb,2\n\nc,3"


def pieces(data: bytes, kind: str) -> list[bytes]:
    return list(split(io.BytesIO(data), kind))


def test_split_types():
    assert pieces(LINES, "None") == [LINES]
    assert pieces(LINES, "Line") == [b"a,1\n", b"b,2\n", b"c,3"]


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_records_of_binary_formats_keep_their_framing(contents: list[bytes]):
    record_io = [
        struct.pack("<II", 0xCED7230A, len(item)) + item + bytes(-len(item) % 4) for item in contents
    ]
    assert pieces(b"".join(record_io), "RecordIO") == record_io
    tf = [struct.pack("<Q", len(item)) + b"crc1" + item + b"crc2" for item in contents]
    assert pieces(b"".join(tf), "TFRecord") == tf


def part(flag: int, content: bytes) -> bytes:
    return struct.pack("<II", 0xCED7230A, flag << 29 | len(content)) + content + bytes(-len(content) % 4)


def test_a_record_in_parts_stays_together():
    first = part(1, b"four") + part(2, b"") + part(3, b"end")
    assert pieces(first + part(0, b"whole") + first, "RecordIO") == [first, part(0, b"whole"), first]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"no records at all", "RecordIO"),
        (part(2, b"no beginning"), "RecordIO"),
        (part(1, b"and then") + part(0, b"another"), "RecordIO"),
        (part(1, b"no end"), "RecordIO"),
        (part(0, b"the head is torn") + b"\x0a\x23", "RecordIO"),
        (struct.pack("<II", 0xCED7230A, 1 << 28) + b"short", "RecordIO"),
        (b"no", "TFRecord"),
        (struct.pack("<Q", 1 << 60) + b"crc1short", "TFRecord"),
    ],
)
def test_a_damaged_file_is_the_clients_error(data: bytes, kind: str):
    with pytest.raises(JobFailure, match=f"ClientError: .*{kind}"):
        pieces(data, kind)


def bodies(several: bool, limit: int, *records: bytes) -> list[bytes]:
    return [b.body for b in batches(((r, r) for r in records), several=several, limit=limit)]


def test_batch_strategies():
    assert bodies(False, 100, b"aa", b"bb") == [b"aa", b"bb"]
    assert bodies(True, 100, b"aa", b"bb", b"cc") == [b"aabbcc"]
    assert bodies(True, 4, b"aa", b"bb", b"cc") == [b"aabb", b"cc"]
    assert bodies(True, 0, b"a" * 100, b"b") == [b"a" * 100 + b"b"]


def test_a_record_over_the_payload_limit_is_refused():
    with pytest.raises(JobFailure, match="MaxPayloadInMB"):
        bodies(True, 4, b"aaaaa")


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=30), st.integers(9, 30), st.booleans())
def test_batches_lose_nothing_and_stay_below_the_limit(records: list[bytes], limit: int, several: bool):
    made = list(batches(((r, r.upper()) for r in records), several=several, limit=limit))
    assert [r for batch in made for r in batch.records] == records
    assert all(len(batch.body) <= limit for batch in made)
    assert b"".join(batch.body for batch in made) == b"".join(records).upper()


def processing(
    input_filter: str = "$", output_filter: str = "$", join: bool = False, by_line: bool = True
) -> DataProcessing:
    return DataProcessing(JsonPath.parse(input_filter), JsonPath.parse(output_filter), join, by_line)


CSV, JSON = "text/csv", "application/jsonlines"


class TestDataProcessing:
    """The cases of "Associate prediction results with input records" in the documentation."""

    def test_csv_columns_are_left_out_of_the_request_and_kept_in_the_output(self):
        rules = processing("$[1:]", "$[0,-1]", join=True)
        assert rules.sent(b'id1,2,"a,b"\n', CSV) == b'2,"a,b"\n'
        kept = rules.kept(Batch(b"", (b"id1,2,3\n", b"id2,4,5\n")), b"0.5\n0.25\n", CSV, CSV)
        assert kept == b"id1,0.5\nid2,0.25"

    def test_csv_answers_of_several_columns_stand_behind_the_record(self):
        kept = processing(join=True).kept(Batch(b"", (b"1,2\n",)), b"x,y\n", CSV, CSV)
        assert kept == b"1,2,x,y"

    def test_json_answers_become_a_member_of_the_record(self):
        rules = processing("$.features", "$", join=True)
        record = b'{"id":1,"features":[1,2]}\n'
        assert rules.sent(record, JSON) == b"[1,2]\n"
        kept = rules.kept(Batch(b"", (record,)), b'{"score":0.5}\n', JSON, JSON)
        assert kept == b'{"id":1,"features":[1,2],"SageMakerOutput":{"score":0.5}}'

    def test_json_that_is_no_object_is_wrapped(self):
        kept = processing(join=True, by_line=False).kept(Batch(b"", (b"[1,2]",)), b"3", JSON, JSON)
        assert kept == b'{"SageMakerInput":[1,2],"SageMakerOutput":3}'

    def test_an_output_filter_alone(self):
        kept = processing(output_filter="$.score").kept(
            Batch(b"", (b"1", b"2")), b'{"score":1}\n{"score":2}', JSON, JSON
        )
        assert kept == b"1\n2"

    def test_answers_go_through_untouched_without_filters(self):
        assert processing().kept(Batch(b"", (b"1\n",)), b"\x00any\n\n", "", "") == b"\x00any\n\n"

    @pytest.mark.parametrize(
        ("answer", "accept", "says"),
        [
            (b"1\n2\n", CSV, "answered 2 records to 1"),
            (b"1\n", JSON, "same format"),
            (b"1\n", "image/png", "image/png"),
        ],
    )
    def test_answers_that_cannot_be_joined(self, answer: bytes, accept: str, says: str):
        with pytest.raises(JobFailure, match=says):
            processing(join=True).kept(Batch(b"", (b"1,2\n",)), answer, CSV, accept)

    def test_a_filter_that_does_not_fit_a_record_is_named(self):
        with pytest.raises(JobFailure, match="InputFilter"):
            processing("$.features").sent(b'{"id":1}\n', JSON)
