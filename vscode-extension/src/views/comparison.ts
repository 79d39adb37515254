// Two runs side by side in the diff editor: documents of our own scheme that hold a run's summary.

import * as vscode from "vscode";
import { summary } from "../model/run.ts";
import type { Runs } from "../runs/store.ts";

export const runScheme = "stepbridge-run";

export class RunDocuments implements vscode.TextDocumentContentProvider {
  readonly #runs: Runs;

  constructor(runs: Runs) {
    this.#runs = runs;
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const run = await this.#runs.open(uri.path.replace(/\.txt$/, ""));
    return run ? summary(run) : "This run is no longer in the history.\n";
  }
}

export async function compare(left: { run: string; pipeline: string }, right: { run: string; pipeline: string }): Promise<void> {
  const document = ({ run }: { run: string }): vscode.Uri => vscode.Uri.from({ scheme: runScheme, path: `${run}.txt` });
  await vscode.commands.executeCommand("vscode.diff", document(left), document(right), `${left.pipeline} ${left.run} ↔ ${right.run}`);
}
