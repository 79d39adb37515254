// What the extension and the page of the graph say to each other. Pure types; both sides import them.

import type { Edge } from "../model/pipeline.ts";
import type { Run } from "../model/run.ts";

export interface GraphNode {
  readonly name: string;
  readonly kind: string;
  readonly branch?: readonly [string, boolean];
}

/** Everything the page shows. */
export interface GraphView {
  /** URI of the program. */
  readonly uri: string;
  readonly pipeline: string;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly Edge[];
  readonly run?: Run;
}

export interface ToPage { readonly type: "show"; readonly view: GraphView }

/** The page's own wishes; context menus come as commands by themselves. */
export type FromPage =
  | { readonly type: "ready" }
  | { readonly type: "source"; readonly step: string }
  | { readonly type: "run" }
  | { readonly type: "debug" }
  | { readonly type: "stop" };
