from __future__ import annotations

import xml.etree.ElementTree as ET

from stepbridge.cli.drawing import Line, Node, draw

NODES = [Node("A", "Processing", "Succeeded", "1.2 s"), Node("B & C", "Training"), Node("D", "Condition")]


def boxes(svg: str) -> dict[str, tuple[float, float]]:
    root = ET.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    found = {}
    for group in root.iter(f"{space}g"):
        rect, text = group.find(f"{space}rect"), group.find(f"{space}text")
        assert rect is not None
        assert text is not None
        found[text.text or ""] = (float(rect.get("x", 0)), float(rect.get("y", 0)))
    return found


def test_each_step_stands_right_of_those_it_needs():
    placed = boxes(draw(NODES, [Line("A", "B & C"), Line("B & C", "D"), Line("A", "D")], "t"))
    assert placed["A"][0] < placed["B & C"][0] < placed["D"][0]


def test_an_edge_that_a_longer_way_says_is_left_out_unless_it_is_a_branch():
    assert (
        draw(NODES, [Line("A", "B & C"), Line("B & C", "D"), Line("A", "D")], "t").count('<path class="edge')
        == 2
    )
    branch = [Line("A", "B & C"), Line("B & C", "D"), Line("A", "D", "True")]
    assert draw(NODES, branch, "t").count('<path class="edge') == 3


def test_steps_of_one_layer_do_not_overlap():
    placed = boxes(draw(NODES, [], "t"))
    assert len({y for _, y in placed.values()}) == 3


def test_an_empty_pipeline_is_a_picture_too():
    ET.fromstring(draw([], [], "<empty>"))
