// Marks of the last run in the source: a lens with status and duration above each step, and the reason of a failure
// at the end of the line where it happened.

import * as vscode from "vscode";
import { settings } from "../common/settings.ts";
import type { Pipelines } from "../language/pipelines.ts";
import { ended } from "../model/events.ts";
import { duration } from "../model/duration.ts";
import { reason, type Run, type StepRun } from "../model/run.ts";
import type { Runs } from "../runs/store.ts";
import { statusGlyph, stepWords } from "./look.ts";

export class LastRunLenses implements vscode.CodeLensProvider, vscode.Disposable {
  readonly #pipelines: Pipelines;
  readonly #runs: Runs;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #subscriptions: vscode.Disposable[];

  readonly onDidChangeCodeLenses = this.#changed.event;

  constructor(pipelines: Pipelines, runs: Runs) {
    this.#pipelines = pipelines;
    this.#runs = runs;
    this.#subscriptions = [
      this.#changed,
      runs.onDidChange(() => { this.#changed.fire(); }),
      pipelines.onDidChange(() => { this.#changed.fire(); }),
    ];
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  async provideCodeLenses(document: vscode.TextDocument): Promise<vscode.CodeLens[]> {
    if (!settings(document).codeLens) return [];
    const lenses: vscode.CodeLens[] = [];
    for (const pipeline of await this.#pipelines.of(document.uri)) {
      const run = this.#runs.latest(pipeline.name);
      if (run === undefined) continue;
      const target = { uri: document.uri.toString(), pipeline: pipeline.name, run: run.run };
      const words = ended(run.status) && run.seconds !== undefined ? `${run.status.toLowerCase()} in ${duration(run.seconds)}` : run.status.toLowerCase();
      lenses.push(lens(pipeline.range.start.line, `${statusGlyph(run.status)} ${words}`, "stepbridge.showGraph", target));
      for (const step of pipeline.steps) {
        const state = run.steps.find(({ name }) => name === step.name);
        if (state === undefined || state.status === "Waiting") continue;
        lenses.push(lens(step.range.start.line, `${statusGlyph(state.status)} ${stepWords(state)}`, "stepbridge.showLog", { ...target, step: step.name }));
      }
    }
    return lenses;
  }
}

function lens(line: number, title: string, command: string, target: unknown): vscode.CodeLens {
  return new vscode.CodeLens(new vscode.Range(line, 0, line, 0), { title, command, arguments: [target] });
}

interface Mark {
  readonly range: vscode.Range;
  readonly step: StepRun;
  readonly run: Run;
  readonly uri: vscode.Uri;
}

export class FailureMarks implements vscode.Disposable {
  readonly #pipelines: Pipelines;
  readonly #runs: Runs;
  readonly #look = vscode.window.createTextEditorDecorationType({
    isWholeLine: true,
    backgroundColor: new vscode.ThemeColor("inputValidation.errorBackground"),
    overviewRulerColor: new vscode.ThemeColor("editorOverviewRuler.errorForeground"),
    overviewRulerLane: vscode.OverviewRulerLane.Right,
    after: { margin: "0 0 0 2em", color: new vscode.ThemeColor("editorError.foreground"), fontStyle: "italic" },
  });
  readonly #subscriptions: vscode.Disposable[];

  constructor(pipelines: Pipelines, runs: Runs) {
    this.#pipelines = pipelines;
    this.#runs = runs;
    const draw = (): void => { this.#draw(); };
    this.#subscriptions = [
      this.#look,
      runs.onDidChange(draw),
      pipelines.onDidChange(draw),
      vscode.window.onDidChangeVisibleTextEditors(draw),
    ];
    draw();
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  #draw(): void {
    for (const editor of vscode.window.visibleTextEditors) {
      if (editor.document.uri.scheme !== "file") continue;
      editor.setDecorations(this.#look, this.#marks(editor.document).map(option));
    }
  }

  #marks(document: vscode.TextDocument): Mark[] {
    const marks: Mark[] = [];
    for (const { uri, pipeline } of this.#pipelines.known()) {
      const run = this.#runs.latest(pipeline.name);
      if (run === undefined) continue;
      for (const step of run.steps) {
        const crashed = step.debugger?.error ? step.debugger : undefined;
        if (step.status !== "Failed" && crashed?.state !== "crashed") continue;
        const model = pipeline.steps.find(({ name }) => name === step.name);
        if (model && uri.toString() === document.uri.toString()) {
          marks.push({ range: document.lineAt(Math.min(model.nameRange.start.line, document.lineCount - 1)).range, step, run, uri });
        }
        if (crashed?.file === document.uri.fsPath && crashed.line > 0 && crashed.line <= document.lineCount) {
          marks.push({ range: document.lineAt(crashed.line - 1).range, step, run, uri });
        }
      }
    }
    return marks;
  }
}

function option({ range, step, run, uri }: Mark): vscode.DecorationOptions {
  const failure = step.debugger?.error ?? "";
  const text = step.failure || failure;
  const target = encodeURIComponent(JSON.stringify([{ uri: uri.toString(), pipeline: run.pipeline, step: step.name, run: run.run }]));
  const hover = new vscode.MarkdownString(undefined, true);
  hover.appendMarkdown(`$(error) **${step.name}** failed  \n`);
  hover.appendCodeblock(text, "text");
  hover.appendMarkdown(`[Show log](command:stepbridge.showLog?${target}) | [Debug at crash](command:stepbridge.debugAtCrash?${target})`);
  hover.isTrusted = { enabledCommands: ["stepbridge.showLog", "stepbridge.debugAtCrash"] };
  return { range, hoverMessage: hover, renderOptions: { after: { contentText: shortened(reason(text)) } } };
}

function shortened(text: string): string {
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
}
