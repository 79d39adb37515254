import assert from "node:assert/strict";
import { test } from "node:test";
import { curve, layout, nodeHeight } from "../../src/graph/layout.ts";
import { timeline } from "../../src/graph/timeline.ts";
import { graphView } from "../../src/graph/view.ts";
import type { Edge, PipelineModel } from "../../src/model/pipeline.ts";
import type { Run, Span, StepRun } from "../../src/model/run.ts";

const nodes = [
  { name: "Prepare", kind: "Processing" },
  { name: "Train", kind: "Training" },
  { name: "Evaluate", kind: "Processing" },
  { name: "Good", kind: "Condition" },
  { name: "Register", kind: "RegisterModel", branch: ["Good", true] as const },
  { name: "Weak", kind: "Fail", branch: ["Good", false] as const },
];
const edges: Edge[] = [
  { source: "Prepare", target: "Train", kind: "depends-on" },
  { source: "Prepare", target: "Train", kind: "data" },
  { source: "Prepare", target: "Evaluate", kind: "data" },
  { source: "Train", target: "Evaluate", kind: "data" },
  { source: "Evaluate", target: "Good", kind: "property-file" },
  { source: "Good", target: "Register", kind: "branch" },
  { source: "Good", target: "Weak", kind: "branch" },
];

test("no two nodes overlap, all lie inside, and every edge leads downwards", () => {
  const placed = layout(nodes, edges);
  assert.equal(placed.nodes.length, nodes.length);
  for (const a of placed.nodes) {
    assert.ok(a.x >= 0 && a.y >= 0 && a.x + placed.nodeWidth <= placed.width && a.y + nodeHeight <= placed.height, a.name);
    for (const b of placed.nodes) {
      if (a !== b) assert.ok(Math.abs(a.x - b.x) >= placed.nodeWidth || Math.abs(a.y - b.y) >= nodeHeight, `${a.name} ${b.name}`);
    }
  }
  const height = new Map(placed.nodes.map(({ name, y }) => [name, y]));
  for (const { source, target } of placed.edges) assert.ok((height.get(source) ?? 0) < (height.get(target) ?? 0), `${source} ${target}`);
});

test("two reasons for one dependency are one line, the strongest first", () => {
  const edge = layout(nodes, edges).edges.find(({ target }) => target === "Train");
  assert.deepEqual(edge?.kinds, ["data", "depends-on"]);
});

test("branches carry their outcome", () => {
  const labels = layout(nodes, edges).edges.filter(({ label }) => label).map(({ target, label }) => [target, label]);
  assert.deepEqual(labels, [["Register", "true"], ["Weak", "false"]]);
});

test("nodes are as wide as the longest name needs, within limits", () => {
  const width = (name: string): number => layout([{ name, kind: "Training" }], []).nodeWidth;
  assert.equal(width("A"), 170);
  assert.ok(width("Wine-CreateModel") > 200);
  assert.equal(width("x".repeat(200)), 300);
});

test("a single step and an empty pipeline have a layout", () => {
  assert.equal(layout([{ name: "Only", kind: "Training" }], []).nodes.length, 1);
  assert.equal(layout([], []).nodes.length, 0);
});

test("a curve begins and ends where the edge does", () => {
  assert.equal(curve([{ x: 0, y: 0 }, { x: 0, y: 10 }, { x: 5, y: 20 }, { x: 5, y: 30 }]), "M0.0,0.0 Q0.0,10.0 2.5,15.0 Q5.0,20.0 5.0,30.0");
  assert.equal(curve([{ x: 0, y: 0 }, { x: 0, y: 10 }]), "M0.0,0.0 L0.0,10.0");
});

const nowhere = { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };
const pipeline: PipelineModel = {
  name: "wine", range: nowhere, parameters: [], edges,
  steps: nodes.map(({ name, kind }) => ({ name, kind, range: nowhere, nameRange: nowhere, dependsOn: [], inputs: [], outputs: [] })),
};

function ran(name: string, spans: readonly Span[], started?: number): StepRun {
  return { name, type: "Training", needs: [], status: "Executing", attempt: 1, detail: "", failure: "", cached: false, outputs: {}, outcome: "", spans, ...(started === undefined ? {} : { started }) };
}

function running(steps: readonly StepRun[], seconds?: number): Run {
  return { run: "r", pipeline: "wine", parameters: {}, status: seconds === undefined ? "Executing" : "Succeeded", started: 100, failure: "", steps, ...(seconds === undefined ? {} : { seconds }) };
}

test("steps that only the run knows are drawn too, with the edges of their needs", () => {
  const extra = { ...ran("Loop-1", []), needs: ["Train", "nowhere"] };
  const view = graphView("file:///p.py", "wine", pipeline, running([extra]));
  assert.equal(view.nodes.at(-1)?.name, "Loop-1");
  assert.deepEqual(view.edges.at(-1), { source: "Train", target: "Loop-1", kind: "data" });
});

test("bars are fractions of the run; an open one reaches to now", () => {
  const line = timeline(running([ran("Train", [{ phase: "wait", from: 100, to: 105 }, { phase: "run", from: 105 }], 105)]), 120);
  const [row] = line.rows;
  assert.deepEqual(row?.bars.map(({ phase, from, to }) => [phase, from, to]), [["wait", 0, 0.25], ["run", 0.25, 1]]);
  assert.equal(row.label, "Train: waits for other steps 5.0 s, runs 15.0 s");
  assert.deepEqual(line.ticks.map(({ label }) => label), ["0", "5 s", "10 s", "15 s", "20 s"]);
});

test("rows stand in the order of starts; steps that never began have none", () => {
  const line = timeline(running([ran("B", [{ phase: "run", from: 108, to: 109 }], 108), ran("A", [{ phase: "run", from: 101, to: 102 }], 101), ran("C", [{ phase: "wait", from: 100, to: 110 }])], 10), 500);
  assert.deepEqual(line.rows.map(({ step }) => step), ["A", "B"]);
});

test("long runs have few ticks", () => {
  assert.ok(timeline(running([], 90_000), 0).ticks.length <= 7);
  assert.ok(timeline(running([], 0.2), 0).ticks.length >= 1);
});
