// Folders to open: a copy of an example, or a small pipeline whose model and runs are given.

import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Edge, ParameterModel, Range, StepModel } from "../../src/model/pipeline.ts";
import { repository } from "./server.ts";

export class Workspace {
  readonly folder: string;
  readonly #kept = new Map<string, string>();

  constructor(name = "demo") {
    this.folder = join(mkdtempSync(join(tmpdir(), "stepbridge-ws-")), name);
    mkdirSync(this.folder);
  }

  /** A copy of examples/NAME. */
  static example(name: string): Workspace {
    const workspace = new Workspace(name);
    cpSync(join(repository, "examples", name), workspace.folder, {
      recursive: true,
      filter: (path) => !/\.stepbridge|__pycache__|\.vscode/.test(path.slice(repository.length)),
    });
    return workspace;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, content: string | object): string {
    const path = this.path(name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content, undefined, 2));
    return path;
  }

  /** `restore` goes back to what is there now. */
  keep(): this {
    for (const name of readdirSync(this.folder, { recursive: true, encoding: "utf8" })) {
      if (statSync(this.path(name)).isFile()) this.#kept.set(name, this.read(name));
    }
    return this;
  }

  /** Writes the kept files that differ; what the tool keeps of earlier runs stays. */
  restore(): void {
    for (const [name, content] of this.#kept) if (!existsSync(this.path(name)) || this.read(name) !== content) this.write(name, content);
  }

  read(name: string): string {
    return readFileSync(this.path(name), "utf8");
  }

  /** Replaces text of a file that must be there. */
  edit(name: string, before: string, after: string): void {
    const text = this.read(name);
    if (!text.includes(before)) throw new Error(`${name} has no ${JSON.stringify(before)}`);
    this.write(name, text.replace(before, after));
  }

  /** The number of the first line that holds `text`, from 1. */
  line(name: string, text: string): number {
    const index = this.read(name).split("\n").findIndex((line) => line.includes(text));
    if (index < 0) throw new Error(`${name} has no line with ${JSON.stringify(text)}`);
    return index + 1;
  }

  remove(): void {
    if (!process.env.STEPBRIDGE_KEEP) rmSync(join(this.folder, ".."), { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** A program for the fake tool, one line per step, and its model. */
export function fakePipeline(steps: readonly (readonly [name: string, kind: string, more?: Partial<StepModel>])[], edges: readonly Edge[], parameters: readonly Omit<ParameterModel, "range">[] = []): { text: string; model: object } {
  const lines = ["from sagemaker.workflow.pipeline import Pipeline", "", 'pipeline = Pipeline("wine", steps=[', ...steps.map(([name]) => `    step("${name}"),`), "])", ""];
  const line = (number: number): Range => ({ start: { line: number, character: 0 }, end: { line: number, character: lines[number]?.length ?? 0 } });
  const model = {
    name: "wine",
    variable: "pipeline",
    range: line(2),
    parameters: parameters.map((parameter) => ({ ...parameter, range: line(0) })),
    edges,
    steps: steps.map(([name, kind, more], index) => ({ name, kind, range: line(3 + index), nameRange: line(3 + index), dependsOn: [], inputs: [], outputs: [], ...more })),
  };
  return { text: lines.join("\n"), model };
}
