"""Input files of a transform job as records, records as request bodies, and answers joined to their records.

SplitType, BatchStrategy and MaxPayloadInMB as the API describes them; DataProcessing as in "Associate
prediction results with input records". Reads lazily: a file may be larger than memory. Knows no HTTP.
"""

from __future__ import annotations

import csv
import io
import json
import struct
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from msgspec import Struct

from . import record_io
from .json_path import JsonPath, NotThereError
from .plan import JobFailure

_OUTPUT, _INPUT = "SageMakerOutput", "SageMakerInput"
_PIECE = 1 << 20


# -- splitting ---------------------------------------------------------------------------------------------


def split(stream: BinaryIO, kind: str) -> Iterator[bytes]:
    """The records of a file, with their framing. kind: SplitType (None, Line, RecordIO, TFRecord).

    Raises:
        JobFailure: the file is not what the split type says.
    """
    if kind == "Line":
        yield from (line for line in stream if line.strip())
    elif kind == "RecordIO":
        yield from _record_io(stream)
    elif kind == "TFRecord":
        yield from _tf_records(stream)
    else:
        yield stream.read()


def _record_io(stream: BinaryIO) -> Iterator[bytes]:
    """Whole records, and those in several parts with all their parts."""
    record: list[bytes] = []
    while header := stream.read(8):
        flag, size = record_io.read_header(header) or (-1, 0)
        expected = (record_io.MIDDLE, record_io.LAST) if record else (record_io.WHOLE, record_io.FIRST)
        if flag not in expected:
            raise JobFailure("ClientError: the input is not in RecordIO format (SplitType RecordIO).")
        record += (header, _exactly(stream, size + -size % 4, "RecordIO"))
        if flag in (record_io.WHOLE, record_io.LAST):
            yield b"".join(record)
            record = []
    if record:
        raise JobFailure("ClientError: the input ends inside a record (SplitType RecordIO).")


def _tf_records(stream: BinaryIO) -> Iterator[bytes]:
    while header := stream.read(12):
        if len(header) < 12:
            raise JobFailure("ClientError: the input is not in TFRecord format (SplitType TFRecord).")
        (size,) = struct.unpack("<Q", header[:8])
        yield header + _exactly(stream, size + 4, "TFRecord")


def _exactly(stream: BinaryIO, size: int, kind: str) -> bytes:
    """`size` bytes. Read in pieces, so that a wrong length in a damaged file asks for no memory."""
    pieces: list[bytes] = []
    while size > 0:
        piece = stream.read(min(size, _PIECE))
        if not piece:
            raise JobFailure(f"ClientError: the input ends inside a record (SplitType {kind}).")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


class Batch(Struct, frozen=True):
    """What one request carries. records: as they stood in the input, before any filter."""

    body: bytes
    records: tuple[bytes, ...]


def batches(records: Iterable[tuple[bytes, bytes]], *, several: bool, limit: int) -> Iterator[Batch]:
    """Request bodies of (record as it stood, record as it is sent).

    Args:
        several: BatchStrategy MultiRecord: as many records as the limit allows; else one.
        limit: most bytes of a body; 0: any.

    Raises:
        JobFailure: a record alone is larger than the limit.
    """
    held: list[tuple[bytes, bytes]] = []
    size = 0
    for record in records:
        length = len(record[1])
        if limit and length > limit:
            raise JobFailure(
                f"ClientError: a record of {length} bytes is larger than the payload limit of "
                f"{limit / 2**20:g} MB (MaxPayloadInMB, SplitType)."
            )
        if held and (not several or (limit and size + length > limit)):
            yield _batch(held)
            held, size = [], 0
        held.append(record)
        size += length
    if held:
        yield _batch(held)


def _batch(held: list[tuple[bytes, bytes]]) -> Batch:
    return Batch(b"".join(sent for _, sent in held), tuple(record for record, _ in held))


# -- filters and joins -------------------------------------------------------------------------------------


class DataProcessing(Struct, frozen=True):
    """InputFilter, OutputFilter and JoinSource of one job."""

    input_filter: JsonPath
    output_filter: JsonPath
    join: bool
    by_line: bool  # records are lines, in the input and in what the model answers

    @property
    def shapes_output(self) -> bool:
        return self.join or not self.output_filter.is_whole

    def sent(self, record: bytes, content_type: str) -> bytes:
        """A record as the model is to see it. Raises JobFailure where the filter does not fit it."""
        if self.input_filter.is_whole:
            return record
        value = _decode(record, content_type, "input")
        chosen = _select(self.input_filter, value, "InputFilter")
        return _encode(chosen, content_type) + (b"\n" if self.by_line else b"")

    def kept(self, batch: Batch, answer: bytes, content_type: str, accept: str) -> bytes:
        """What is written for a batch: the answer, joined and filtered record by record.

        Raises:
            JobFailure: the answer has another number of records, or a filter does not fit.
        """
        if not self.shapes_output:
            return answer
        answers = _lines(answer) if self.by_line else [answer]
        if len(answers) != len(batch.records):
            raise JobFailure(
                f"ClientError: the model answered {len(answers)} records to {len(batch.records)}; "
                "filters and joins need one for each."
            )
        rows = (
            self._row(record, one, content_type, accept)
            for record, one in zip(batch.records, answers, strict=True)
        )
        return b"\n".join(rows)

    def _row(self, record: bytes, answer: bytes, content_type: str, accept: str) -> bytes:
        value = _decode(answer, accept, "answer")
        if self.join:
            value = _joined(_decode(record, content_type, "input"), value, content_type, accept)
        return _encode(_select(self.output_filter, value, "OutputFilter"), accept)


def _joined(record: Any, answer: Any, content_type: str, accept: str) -> Any:
    if _is_csv(content_type) != _is_csv(accept):
        raise JobFailure("ClientError: JoinSource needs the same format in ContentType and Accept.")
    if _is_csv(content_type):
        return [*record, *answer]
    if isinstance(record, dict):
        return {**record, _OUTPUT: answer}
    return {_INPUT: record, _OUTPUT: answer}


def _select(path: JsonPath, value: Any, what: str) -> Any:
    try:
        return path.select(value)
    except NotThereError as error:
        raise JobFailure(f"ClientError: {what}: {error.message}.") from None


def _lines(answer: bytes) -> list[bytes]:
    return [line for line in answer.split(b"\n") if line.strip()]


def _is_csv(kind: str) -> bool:
    return kind.partition(";")[0].strip().lower() == "text/csv"


def _decode(data: bytes, kind: str, what: str) -> Any:
    """One record: a CSV line is the list of its columns."""
    try:
        text = data.decode("utf-8")
        if _is_csv(kind):
            return next(csv.reader(io.StringIO(text)), [])
        if "json" in kind.lower():
            return json.loads(text)
    except ValueError as error:
        raise JobFailure(f"ClientError: a record of the {what} is no {kind}: {error}.") from None
    raise JobFailure(
        f"ClientError: filters and joins read text/csv, application/json and application/jsonlines; "
        f"the {what} is {kind or 'of no named type'}."
    )


def _encode(value: Any, kind: str) -> bytes:
    if not _is_csv(kind):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(value if isinstance(value, list) else [value])
    return buffer.getvalue().encode()
