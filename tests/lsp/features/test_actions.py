"""Quick fixes, fix-all, silencing, and literals that become parameters."""

from __future__ import annotations

from pathlib import Path

import pytest
from stepbridge_lsp.documents.python import PythonDocument
from stepbridge_lsp.features.actions import Action, extract_parameter, fix_all, quick_fixes, silence
from stepbridge_lsp.fixing import apply_edits
from stepbridge_lsp.positions import Span
from stepbridge_lsp.rules import Finding, diagnose

from tests.lsp.features.programs import IMPORTS, PIPELINE, STEPS, find, program

WHOLE = IMPORTS + STEPS + PIPELINE


def done(document: PythonDocument, action: Action | None) -> str:
    assert action is not None
    return apply_edits(document.source, sorted(action.edits, key=lambda e: -e.span.start)).decode()


def extracted(document: PythonDocument, place: str, skip: int = 0) -> Action | None:
    at = find(document, place, skip)
    return extract_parameter(document, Span(document.key, at, at))


def test_fixes_of_a_finding_come_first_then_ways_to_silence_it(tmp_path: Path) -> None:
    document = program(WHOLE.replace("[stage, rounds]", "[stage]"), tmp_path)
    findings = diagnose(document)
    (finding,) = findings
    actions = quick_fixes(document, findings, finding.span)
    assert actions[0].finding is finding
    assert actions[-1].title == "Ignore P040 on this line"
    assert actions[0].preferred
    assert quick_fixes(document, findings, Span(document.key, 0, 0)) == []


def test_fix_all_goes_on_until_nothing_is_left(tmp_path: Path) -> None:
    document = program(WHOLE.replace("[stage, rounds]", "[]"), tmp_path)
    action = fix_all(document, diagnose(document), diagnose)
    fixed = done(document, action)
    document.replace(fixed)
    assert diagnose(document) == []
    assert fix_all(document, diagnose(document), diagnose) is None


def test_silence_joins_a_comment_that_is_there(tmp_path: Path) -> None:
    text = WHOLE.replace('{"rounds": rounds},', '{"rounds": rounds},  # stepbridge: ignore[P001]')
    document = program(text.replace("[stage, rounds]", "[stage]"), tmp_path)
    (finding,) = diagnose(document)
    fixed = done(document, silence(document, finding))
    assert "# stepbridge: ignore[P001, P040]" in fixed
    document.replace(fixed)
    assert diagnose(document) == []


@pytest.mark.parametrize("text", ['x = """a\nb\nc"""\n', "x = 1 + \\\n  2\n"])
def test_no_comment_where_none_may_stand(text: str) -> None:
    document = program(text)
    finding = Finding("P001", "error", "m", Span(document.key, 4, 6))
    assert silence(document, finding) is None


def test_extract_a_string(tmp_path: Path) -> None:
    document = program(WHOLE, tmp_path)
    action = extracted(document, '"ml.m5|.large"', 1)
    assert action is not None
    assert action.title == "Make this the pipeline parameter InstanceType"
    fixed = done(document, action)
    assert (
        'instance_type = ParameterString(name="InstanceType", default_value="ml.m5.large")\nestimator = '
        in fixed
    )
    assert "    instance_type=instance_type,\n" in fixed
    assert "parameters=[stage, rounds, instance_type]" in fixed
    document.replace(fixed)
    assert diagnose(document) == []


def test_extract_a_number_imports_its_class(tmp_path: Path) -> None:
    text = WHOLE.replace("import ParameterInteger, ParameterString", "import ParameterString")
    text = text.replace('rounds = ParameterInteger(name="Rounds", default_value=3)', "rounds = 3")
    text = text.replace("[stage, rounds]", "[stage]")
    document = program(text, tmp_path)
    fixed = done(document, extracted(document, "instance_count=|1"))
    assert "from sagemaker.workflow.parameters import ParameterInteger\n" in fixed
    assert 'instance_count = ParameterInteger(name="InstanceCount", default_value=1)\nprocessor = ' in fixed
    document.replace(fixed)
    assert diagnose(document) == []


def test_extract_within_arguments_keeps_them_strings(tmp_path: Path) -> None:
    text = WHOLE.replace('arguments=["--stage", stage]', 'arguments=["--stage", stage, "--n", "5"]')
    document = program(text, tmp_path)
    fixed = done(document, extracted(document, '"|5"'))
    assert "arguments_2" not in fixed
    document.replace(fixed)
    assert diagnose(document) == []


def test_extract_takes_free_names_and_the_function_s_indentation(tmp_path: Path) -> None:
    body = "".join(f"    {line}\n" if line else "\n" for line in (STEPS + PIPELINE).split("\n"))
    text = f"{IMPORTS}def get_pipeline(instance_type):\n{body}    return pipeline\n"
    document = program(text, tmp_path)
    fixed = done(document, extracted(document, '"ml.m5|.large"'))
    assert "\n    instance_type_parameter = ParameterString(" in fixed
    assert "instance_type=instance_type_parameter," in fixed
    document.replace(fixed)
    assert not document.model.broken


@pytest.mark.parametrize(
    "place", ['name="Pre|pare"', 'entry_point="tr|ain.py"', '"no|thing"', '"ev|aluation"']
)
def test_what_must_stay_a_literal(place: str, tmp_path: Path) -> None:
    document = program(WHOLE + 'x = "nothing"\n', tmp_path)
    assert extracted(document, place) is None
