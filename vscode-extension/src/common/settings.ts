// The extension's settings, typed. The only reader of the `stepbridge` section.

import * as vscode from "vscode";

export type Engine = "auto" | "docker" | "process";

export interface Settings {
  readonly path: string;
  readonly python: string;
  readonly engine: Engine;
  readonly debugAtCrash: boolean;
  readonly codeLens: boolean;
}

export function settings(scope?: vscode.ConfigurationScope): Settings {
  const section = vscode.workspace.getConfiguration("stepbridge", scope);
  return {
    path: expanded(section.get("path", "")),
    python: expanded(section.get("python", "")),
    engine: section.get<Engine>("engine", "auto"),
    debugAtCrash: section.get("debugAtCrash", true),
    codeLens: section.get("codeLens", true),
  };
}

/** Settings know no variables by themselves; the one that people use in paths is the workspace's folder. */
function expanded(path: string): string {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? "";
  return path.trim().replaceAll("${workspaceFolder}", folder);
}
