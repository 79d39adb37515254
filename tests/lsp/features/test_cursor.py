"""The cursor's surroundings are found in text that does not parse: `|` marks the cursor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stepbridge_lsp.features.cursor import Cursor, cursor_in


def at(text: str) -> Cursor:
    before, _, after = text.partition("|")
    return cursor_in((before + after).encode(), len(before.encode()))


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("train.prop|", "train"),
        ("train.properties.ModelArtifacts.|", "train.properties.ModelArtifacts"),
        ("x = make(1, 'a').out|", "make(1, 'a')"),
        ("p.properties.Outputs['tr\"ain'].S3|", "p.properties.Outputs['tr\"ain']"),
        ("f(g.|", "g"),
        ("(a or b).|", "(a or b)"),
        ("steps[0](x)[1].|", "steps[0](x)[1]"),
        ("'text'.|", "'text'"),
        ("return s.|", "s"),
        ("f(x,\n  train\n  .properties.|", "train\n  .properties"),
        ("1 + |", None),
        ("größe.|", "größe"),
    ],
)
def test_base_of_an_attribute(text: str, base: str | None) -> None:
    assert at(text).base == base


@pytest.mark.parametrize(
    ("text", "callee", "index", "keyword"),
    [
        ("Pipeline(|", "Pipeline", 0, None),
        ("Pipeline('a', |", "Pipeline", 1, None),
        ("Pipeline(name='a', steps=|", "Pipeline", 1, "steps"),
        ("ScriptProcessor(role=role).run(code=|", "ScriptProcessor(role=role).run", 0, "code"),
        ("f(a, [1, 2, |", "f", 1, None),
        ("f(x == |", "f", 0, None),
        ("f(a=1, b={'k': |", "f", 1, "b"),
        ("f(g(1, 2), ')', '\\'(', |", "f", 3, None),
        ("f(  # (comment, with brackets\n  a, |", "f", 1, None),
        ("f((1, 2), |", "f", 1, None),
    ],
)
def test_call_around_the_cursor(text: str, callee: str, index: int, keyword: str | None) -> None:
    call = at(text).call()
    assert call is not None
    assert (call.base, call.index, call.keyword) == (callee, index, keyword)


def test_no_call_behind_a_closed_one() -> None:
    assert at("f(1) |").call() is None
    assert at("f(1)\n|").call() is None


def test_an_open_bracket_does_not_swallow_the_next_statement() -> None:
    assert at("f(1,\n\nclass X:\n    y = |").call() is None
    assert at("f(1,\nfrom a import |").call() is None


def test_strings_give_their_characters() -> None:
    cursor = at("f(x, instance_type='ml.m5.|large')")
    assert cursor.string is not None
    assert cursor.prefix == "ml.m5."
    assert (cursor.word[1] - cursor.word[0]) == len("ml.m5.large")
    call = cursor.call()
    assert call is not None
    assert call.keyword == "instance_type"
    assert cursor.alone


def test_unclosed_string_ends_with_its_line() -> None:
    cursor = at("f('ab|\ng(1)")
    assert cursor.string is not None
    assert not cursor.string.closed
    assert cursor.prefix == "ab"
    assert at("f('ab\n|").string is None


def test_triple_quoted_and_prefixed_strings() -> None:
    inside = at('f(rb"""a\n(|b""")')
    assert inside.string is not None
    assert inside.prefix == "a\n("
    formatted = at("f'{x|}'").string
    assert formatted is not None
    assert not formatted.plain


def test_dictionary_key_and_value() -> None:
    value = at("f(hyperparameters={'a': 1, 'depth': |")
    assert value.frame is not None
    assert (value.frame.kind, value.frame.key, value.frame.behind_colon) == ("{", "depth", True)
    key = at("f(hyperparameters={'a': 1, 'de|'")
    assert key.frame is not None
    assert not key.frame.behind_colon
    assert [frame.kind for frame in key.frames] == ["(", "{"]


def test_alone_says_whether_more_stands_in_the_item() -> None:
    assert at("f(a=|").alone
    assert at("f(1, wo|").alone
    assert not at("f(1, x + wo|").alone
    assert not at("f(1, x wo|").alone


def test_comment() -> None:
    assert at("f(1)  # see f(|").comment


@given(st.text(alphabet="ab.(,)[]{}'\"\\#:= \nfé😀", max_size=60), st.integers(0, 80))
def test_nothing_breaks_it(text: str, offset: int) -> None:
    source = text.encode()
    cursor = cursor_in(source, min(offset, len(source)))
    start, end = cursor.word
    assert 0 <= start <= cursor.offset <= max(end, cursor.offset) <= len(source)
