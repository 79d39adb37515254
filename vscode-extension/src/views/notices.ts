// Tells the user what happened while they looked elsewhere: a failed step, and what can be done about it.

import * as vscode from "vscode";
import type { Log } from "../common/log.ts";
import type { RunEvent } from "../model/events.ts";
import { reason, type Run } from "../model/run.ts";
import { engineMissing, lacksEngine } from "../model/text.ts";

/** Shows a notification for events that need one. `after` is the run with the event folded in. */
export function notify(event: RunEvent, after: Run | undefined): void {
  switch (event.event) {
    case "step-finished": {
      // who debugs it stood at the raising line already
      const seen = after?.steps.find(({ name }) => name === event.step)?.debugger?.error;
      if (event.status === "Failed" && !seen) void failed(after, event.run, event.step, event.failure ?? "");
      break;
    }
    case "run-finished":
      if (event.status === "Failed" && !after?.steps.some(({ status }) => status === "Failed")) {
        void vscode.window.showErrorMessage(`Pipeline ${after?.pipeline ?? ""} failed: ${reason(event.failure ?? "")}`);
      }
      break;
    default:
  }
}

async function failed(run: Run | undefined, id: string, step: string, failure: string): Promise<void> {
  const target = { run: id, step, ...(run ? { pipeline: run.pipeline } : {}), ...(run?.program ? { uri: vscode.Uri.file(run.program).toString() } : {}) };
  const noEngine = lacksEngine(failure);
  const processes = process.platform === "linux";
  const offers: Record<string, readonly [command: string, more?: object]> = noEngine
    ? {
        ...(processes ? { "Use Local Processes This Time": ["rerun", { engine: "process" }] as const } : {}),
        "Try Again": ["rerun"],
      }
    : { "Debug at Crash": ["debugAtCrash"], "Show Log": ["showLog"] };
  const words = noEngine ? engineMissing(step, failure, processes) : `Step ${step} failed: ${reason(failure)}`;
  const choice = await vscode.window.showErrorMessage(words, ...Object.keys(offers));
  const offer = choice && offers[choice];
  if (offer) await vscode.commands.executeCommand(`stepbridge.${offer[0]}`, { ...target, ...offer[1] });
}

/** The steps' output goes to their channels, and what the tool notes to the log. */
export function record(event: RunEvent, run: Run | undefined, log: Log): void {
  if (run === undefined) return;
  switch (event.event) {
    case "step-started": {
      const channel = log.step(run.pipeline, event.step);
      if ((event.attempt ?? 1) === 1) channel.replace(`${event.step} of ${run.pipeline}, run ${run.run}\n\n`);
      else channel.appendLine(`\nAttempt ${String(event.attempt)}\n`);
      break;
    }
    case "step-log":
      log.step(run.pipeline, event.step).appendLine(event.host && event.host !== "algo-1" ? `[${event.host}] ${event.line}` : event.line);
      break;
    case "step-finished":
      if (event.failure) log.step(run.pipeline, event.step).appendLine(`\n${event.failure}`);
      break;
    case "notice":
      log.channel.info(event.step ? `${event.step}: ${event.message}` : event.message);
      break;
    default:
  }
}
