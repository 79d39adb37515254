// From a pipeline's model and a run to what the graph shows. Pure.

import type { Edge, PipelineModel } from "../model/pipeline.ts";
import type { Run } from "../model/run.ts";
import type { GraphNode, GraphView } from "./messages.ts";

/** The program's own graph; steps that only the run knows (made in a loop, from another module) come after. */
export function graphView(uri: string, name: string, pipeline: PipelineModel | undefined, run: Run | undefined): GraphView {
  const nodes: GraphNode[] = (pipeline?.steps ?? []).map(({ name: step, kind, branch }) => node(step, kind, branch));
  const edges: Edge[] = [...(pipeline?.edges ?? [])];
  const known = new Set(nodes.map((one) => one.name));
  for (const step of run?.steps ?? []) {
    if (known.has(step.name)) continue;
    nodes.push(node(step.name, step.type, step.branch));
    for (const source of step.needs) {
      edges.push({ source, target: step.name, kind: step.branch?.[0] === source ? "branch" : "data" });
    }
  }
  const all = new Set(nodes.map((one) => one.name));
  return {
    uri,
    pipeline: name,
    nodes,
    edges: edges.filter(({ source, target }) => all.has(source) && all.has(target)),
    ...(run ? { run } : {}),
  };
}

function node(name: string, kind: string, branch: readonly [string, boolean] | null | undefined): GraphNode {
  return branch ? { name, kind, branch } : { name, kind };
}
