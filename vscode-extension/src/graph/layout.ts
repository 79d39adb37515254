// Where the nodes and edges of the picture lie. The layers are dagre's; this module knows sizes and curves. Pure.

import dagre from "@dagrejs/dagre";
import type { Edge, EdgeKind } from "../model/pipeline.ts";
import type { GraphNode } from "./messages.ts";

export const nodeHeight = 48;
const narrowest = 170;
const widest = 300;
const letter = 7.6; // of a name, on average
const beside = 88; // icon, state and the gaps between
const margin = 16;

export interface PlacedNode extends GraphNode {
  /** The upper left corner. */
  readonly x: number;
  readonly y: number;
}

export interface PlacedEdge {
  readonly source: string;
  readonly target: string;
  /** Every way in which the target needs the source; the strongest first. */
  readonly kinds: readonly EdgeKind[];
  /** For the edge of a condition: "true" or "false". */
  readonly label: string;
  /** SVG path data. */
  readonly path: string;
  readonly labelX: number;
  readonly labelY: number;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  /** Of every node, so that the longest name fits where it is not excessive. */
  readonly nodeWidth: number;
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly PlacedEdge[];
}

const strength: readonly EdgeKind[] = ["branch", "data", "property-file", "depends-on"];

export function layout(nodes: readonly GraphNode[], edges: readonly Edge[]): Layout {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "TB", nodesep: 24, ranksep: 34, edgesep: 16, marginx: margin, marginy: margin });
  const longest = Math.max(0, ...nodes.map(({ name }) => name.length));
  const nodeWidth = Math.min(widest, Math.max(narrowest, Math.ceil(longest * letter + beside)));
  for (const { name } of nodes) graph.setNode(name, { width: nodeWidth, height: nodeHeight });
  const joined = join(nodes, edges);
  for (const { source, target, label } of joined) {
    graph.setEdge(source, target, label ? { width: 40, height: 18, labelpos: "c" } : {});
  }
  dagre.layout(graph);
  const size = graph.graph() as { readonly width?: number; readonly height?: number };
  return {
    width: size.width ?? 0,
    height: size.height ?? 0,
    nodeWidth,
    nodes: nodes.map((node) => {
      const { x = 0, y = 0 } = graph.node(node.name) as Partial<Point>;
      return { ...node, x: x - nodeWidth / 2, y: y - nodeHeight / 2 };
    }),
    edges: joined.map((edge) => {
      const { points = [], x = 0, y = 0 } = graph.edge(edge.source, edge.target) as Partial<Point> & { points?: Point[] };
      return { ...edge, path: curve(points), labelX: x, labelY: y };
    }),
  };
}

type Joined = Omit<PlacedEdge, "path" | "labelX" | "labelY">;

/** One edge per pair of steps. */
function join(nodes: readonly GraphNode[], edges: readonly Edge[]): Joined[] {
  const pairs = new Map<string, Edge[]>();
  for (const edge of edges) {
    const key = JSON.stringify([edge.source, edge.target]);
    pairs.set(key, [...(pairs.get(key) ?? []), edge]);
  }
  return [...pairs.values()].flatMap((pair) => {
    const [first] = pair;
    if (first === undefined) return [];
    const { source, target } = first;
    const kinds = strength.filter((kind) => pair.some((edge) => edge.kind === kind));
    const branch = nodes.find(({ name }) => name === target)?.branch;
    const label = branch?.[0] === source && kinds.includes("branch") ? String(branch[1]) : "";
    return [{ source, target, kinds, label }];
  });
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** A smooth line through dagre's bends: straight out of the node, then one quadratic per bend. */
export function curve(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (first === undefined) return "";
  const last = rest.at(-1);
  if (last === undefined) return "";
  const parts = [`M${at(first)}`];
  for (let index = 0; index < rest.length - 1; index++) {
    const bend = rest[index];
    const next = rest[index + 1];
    if (bend === undefined || next === undefined) continue;
    const end = index === rest.length - 2 ? next : { x: (bend.x + next.x) / 2, y: (bend.y + next.y) / 2 };
    parts.push(`Q${at(bend)} ${at(end)}`);
  }
  if (rest.length === 1) parts.push(`L${at(last)}`);
  return parts.join(" ");
}

function at({ x, y }: Point): string {
  return `${x.toFixed(1)},${y.toFixed(1)}`;
}
