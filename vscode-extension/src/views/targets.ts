// What a command acts on. Code lenses, trees, the graph and the palette all call the same commands; each has its own
// way to say which pipeline, step or run is meant.

import * as vscode from "vscode";

/** A pipeline, one of its steps, a run, or a step of a run; whatever is known of it. */
export interface Target {
  readonly uri?: string;
  readonly pipeline?: string;
  readonly step?: string;
  readonly run?: string;
  /** Name of an output of the step. */
  readonly output?: string;
}

/** A tree item that stands for something. */
export class TargetItem extends vscode.TreeItem {
  readonly target: Target;

  constructor(label: string, state: vscode.TreeItemCollapsibleState, target: Target) {
    super(label, state);
    this.target = target;
  }
}

/** Arguments of a command, from a lens `(uri, pipeline, step)`, a tree item, or a node of the graph. */
export function targetOf(args: readonly unknown[]): Target {
  const [first, pipeline, step] = args;
  if (first instanceof TargetItem) return first.target;
  if (typeof first === "string") {
    return { uri: first, ...(typeof pipeline === "string" ? { pipeline } : {}), ...(typeof step === "string" ? { step } : {}) };
  }
  if (first instanceof vscode.Uri) return { uri: first.toString() };
  if (typeof first === "object" && first !== null) return first;
  return {};
}
