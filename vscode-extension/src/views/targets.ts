// What a command acts on. Code lenses, trees, the graph and the palette all call the same commands; each has its own
// way to say which pipeline, step or run is meant.

import * as vscode from "vscode";

/** A pipeline, one of its steps, a run, or a step of a run; whatever is known of it. */
export interface Target {
  readonly uri?: string;
  readonly pipeline?: string;
  readonly step?: string;
  readonly run?: string;
  /** Another engine for this time. */
  readonly engine?: string;
  /** Name of an output of the step. */
  readonly output?: string;
}

/** An element of a tree; a command gets the element, not the item that is made of it. */
export interface Targeted {
  readonly target: Target;
}

/** Arguments of a command, from a lens `(uri, pipeline, step)`, an element of a tree, or a node of the graph. */
export function targetOf(args: readonly unknown[]): Target {
  const [first, pipeline, step] = args;
  if (typeof first === "string") {
    return { uri: first, ...(typeof pipeline === "string" ? { pipeline } : {}), ...(typeof step === "string" ? { step } : {}) };
  }
  if (first instanceof vscode.Uri) return { uri: first.toString() };
  if (typeof first === "object" && first !== null) return "target" in first ? (first as Targeted).target : first;
  return {};
}
