"""A pipeline as SVG: steps in layers from left to right, edges as curves, statuses as colours.

Pure: names and edges in, text out. Colours follow the reader's light or dark theme.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from xml.sax.saxutils import escape

from msgspec import Struct

BOX_HEIGHT, GAP_X, GAP_Y, MARGIN = 44, 64, 20, 16
CHARACTER = 7.6  # pixels of one character of a step's name

COLOURS = {
    "Succeeded": "#2da44e",
    "Failed": "#cf222e",
    "Stopped": "#bf8700",
    "Executing": "#0969da",
    "Skipped": "#8c959f",
    "Waiting": "#8c959f",
}

_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.kind { font-size: 10.5px; fill: #59636e; }
.box { fill: #f6f8fa; stroke: #d1d9e0; }
.edge { fill: none; stroke: #818b98; stroke-width: 1.4; }
.branch { stroke-dasharray: 5 4; }
.head { fill: #818b98; }
.Skipped, .Waiting { opacity: .6; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; } .kind { fill: #9198a1; } .box { fill: #151b23; stroke: #3d444d; }
}
"""


class Node(Struct, frozen=True):
    name: str
    kind: str
    status: str = ""  # empty: not run
    note: str = ""  # duration, "cached" ...


class Line(Struct, frozen=True):
    source: str
    target: str
    branch: str = ""  # "True" or "False" for the edges of a condition


class _Box(Struct, frozen=True):
    node: Node
    x: float
    y: float
    width: float


def draw(nodes: Sequence[Node], lines: Sequence[Line], title: str) -> str:
    """SVG of a pipeline. Every line's ends are among the nodes."""
    lines = _without_shortcuts(lines)
    layers = _layers([node.name for node in nodes], lines)
    boxes = _place(nodes, layers)
    width = max((box.x + box.width for box in boxes.values()), default=0) + MARGIN
    height = max((box.y + BOX_HEIGHT for box in boxes.values()), default=0) + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" '
        'markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="head" d="M0 0 8 4 0 8z"/></marker>',
        *(_edge(boxes[line.source], boxes[line.target], line) for line in lines),
        *(_box(box) for box in boxes.values()),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _without_shortcuts(lines: Sequence[Line]) -> list[Line]:
    """Edges that a longer way says already are left out; a condition's own stay."""
    targets: dict[str, set[str]] = {}
    for line in lines:
        targets.setdefault(line.source, set()).add(line.target)
    return [
        line
        for line in lines
        if line.branch
        or not any(_reaches(other, line.target, targets) for other in targets[line.source] - {line.target})
    ]


def _reaches(start: str, goal: str, targets: Mapping[str, Iterable[str]]) -> bool:
    seen, pending = set(), [start]
    while pending:
        name = pending.pop()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            pending += targets.get(name, ())
    return False


def _layers(names: Sequence[str], lines: Iterable[Line]) -> list[list[str]]:
    """Each step one layer after the last of those it needs; within a layer near those, to cross few edges."""
    needs: dict[str, list[str]] = {name: [] for name in names}
    for line in lines:
        needs[line.target].append(line.source)
    depth: dict[str, int] = {}

    def layer(name: str) -> int:
        if name not in depth:
            depth[name] = max((layer(need) + 1 for need in needs[name]), default=0)
        return depth[name]

    layers: list[list[str]] = [[] for _ in range(max(map(layer, names), default=-1) + 1)]
    for name in names:
        layers[depth[name]].append(name)
    for number in range(1, len(layers)):
        above = {name: place for place, name in enumerate(layers[number - 1])}
        layers[number].sort(key=lambda name: _middle([above.get(need, 0) for need in needs[name]]))
    return layers


def _middle(places: Sequence[int]) -> float:
    return sum(places) / len(places) if places else 0.0


def _place(nodes: Sequence[Node], layers: Sequence[Sequence[str]]) -> dict[str, _Box]:
    by_name = {node.name: node for node in nodes}
    tallest = max(map(len, layers), default=0) * (BOX_HEIGHT + GAP_Y) - GAP_Y
    boxes: dict[str, _Box] = {}
    x = float(MARGIN)
    for layer in layers:
        width = max(len(_caption(by_name[name])) for name in layer) * CHARACTER + 40
        width = max(width, max(len(name) for name in layer) * CHARACTER + 40)
        height = len(layer) * (BOX_HEIGHT + GAP_Y) - GAP_Y
        for place, name in enumerate(layer):
            y = MARGIN + (tallest - height) / 2 + place * (BOX_HEIGHT + GAP_Y)
            boxes[name] = _Box(by_name[name], x, y, width)
        x += width + GAP_X
    return boxes


def _caption(node: Node) -> str:
    return " · ".join(part for part in (node.kind, node.note) if part)


def _box(box: _Box) -> str:
    node = box.node
    colour = COLOURS.get(node.status, "")
    stripe = (
        f'<rect x="{box.x:.0f}" y="{box.y:.0f}" width="5" height="{BOX_HEIGHT}" rx="2" fill="{colour}"/>'
        if colour
        else ""
    )
    label = f"{node.name}, {node.kind} {node.status} {node.note}".strip()
    return (
        f'<g class="{escape(node.status)}" aria-label="{escape(label)}">'
        f'<rect class="box" x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}"'
        f' height="{BOX_HEIGHT}" rx="6"/>'
        f"{stripe}"
        f'<text x="{box.x + 16:.0f}" y="{box.y + 19:.0f}">{escape(node.name)}</text>'
        f'<text class="kind" x="{box.x + 16:.0f}" y="{box.y + 34:.0f}">{escape(_caption(node))}</text></g>'
    )


def _edge(source: _Box, target: _Box, line: Line) -> str:
    x1, y1 = source.x + source.width, source.y + BOX_HEIGHT / 2
    x2, y2 = target.x - 2, target.y + BOX_HEIGHT / 2
    bend = (x2 - x1) / 2
    path = f"M{x1:.0f} {y1:.0f} C{x1 + bend:.0f} {y1:.0f} {x2 - bend:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    label = (
        f'<text class="kind" x="{x2 - 10:.0f}" y="{y2 + (16 if y2 > y1 else -7):.0f}" text-anchor="end">'
        f"{escape(line.branch)}</text>"
        if line.branch
        else ""
    )
    kind = "edge branch" if line.branch else "edge"
    return f'<path class="{kind}" d="{path}" marker-end="url(#head)"/>{label}'
