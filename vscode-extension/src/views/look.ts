// How kinds and statuses look in the editor's own widgets: product icons and theme colours, in one place.

import * as vscode from "vscode";
import type { RunStatus, StepStatus } from "../model/events.ts";
import { standsAtCrash, type StepRun } from "../model/run.ts";
import { duration } from "../model/duration.ts";

const statusIcons: Record<StepStatus, readonly [icon: string, color: string]> = {
  Waiting: ["circle-outline", "disabledForeground"],
  Starting: ["loading~spin", "charts.blue"],
  Executing: ["sync~spin", "charts.blue"],
  Stopping: ["stop-circle", "charts.yellow"],
  Stopped: ["circle-slash", "charts.yellow"],
  Succeeded: ["pass-filled", "testing.iconPassed"],
  Failed: ["error", "testing.iconFailed"],
  Skipped: ["debug-step-over", "disabledForeground"],
};

const kindIcons: Record<string, string> = {
  Training: "mortar-board",
  Processing: "gear",
  Transform: "arrow-swap",
  Tuning: "settings",
  Model: "package",
  RegisterModel: "archive",
  Condition: "git-compare",
  Fail: "error",
  Lambda: "zap",
  Callback: "call-incoming",
  QualityCheck: "checklist",
  ClarifyCheck: "checklist",
  EMR: "server-process",
  NotebookJob: "notebook",
  AutoML: "sparkle",
  EndpointConfig: "cloud",
  Endpoint: "cloud",
};

export function statusIcon(status: StepStatus | RunStatus): vscode.ThemeIcon {
  const [icon, color] = statusIcons[status];
  return new vscode.ThemeIcon(icon, new vscode.ThemeColor(color));
}

const statusGlyphs: Record<StepStatus, string> = {
  Waiting: "○", Starting: "◔", Executing: "●", Stopping: "■", Stopped: "■", Succeeded: "✓", Failed: "✗", Skipped: "–",
};

/** For places that show text only. */
export function statusGlyph(status: StepStatus | RunStatus): string {
  return statusGlyphs[status];
}

export function kindIcon(kind: string): vscode.ThemeIcon {
  return new vscode.ThemeIcon(kindIcons[kind] ?? "circle-large-outline");
}

/** "Succeeded in 3.1 s", "reused from the cache", "pulling image", "waits for its debugger". */
export function stepWords(step: StepRun): string {
  if (standsAtCrash(step)) return step.debugger?.state === "crashed" ? "crashed, waits for the debugger" : "crashed, held by the debugger";
  if (step.cached) return "reused from the cache";
  if (step.outcome) return step.outcome.toLowerCase();
  const running = step.status === "Executing" || step.status === "Starting";
  const phase = step.spans.at(-1)?.phase;
  if (running && phase && phase !== "run" && phase !== "wait") return step.detail || phaseWords[phase];
  if (step.seconds !== undefined && step.status !== "Skipped") return `${step.status.toLowerCase()} in ${duration(step.seconds)}`;
  return step.status.toLowerCase();
}

const phaseWords = {
  pull: "pulls its image",
  stage: "stages its inputs",
  start: "starts",
  debug: "waits for the debugger",
  collect: "collects its outputs",
  breakpoint: "stopped at a breakpoint",
} as const;
