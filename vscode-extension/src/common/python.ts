// The Python environment that the user selected in the Python extension, where that extension is installed, and
// the environments that lie in the workspace by custom. Nothing here starts an interpreter.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import * as vscode from "vscode";
import { commandIn } from "./locate.ts";

/** The part of the Python extension's API that is used. */
interface PythonApi {
  readonly environments: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { readonly path: string };
    resolveEnvironment(path: { readonly path: string }): Promise<
      { readonly executable: { readonly uri?: vscode.Uri } } | undefined
    >;
    readonly onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
  };
}

async function api(): Promise<PythonApi | undefined> {
  const extension = vscode.extensions.getExtension<PythonApi | undefined>("ms-python.python");
  if (extension === undefined) return undefined;
  try {
    const exported = await extension.activate();
    return exported?.environments ? exported : undefined;
  } catch {
    return undefined;
  }
}

/** The interpreter that the user selected, or the one of the workspace's own environment. */
export async function interpreter(resource?: vscode.Uri): Promise<string | undefined> {
  const python = await api();
  if (python) {
    const environment = await python.environments.resolveEnvironment(python.environments.getActiveEnvironmentPath(resource));
    if (environment?.executable.uri) return environment.executable.uri.fsPath;
  }
  return workspaceEnvironments().map((folder) => commandIn(folder, "python")).find((path) => existsSync(path));
}

/** Folders of environments worth a look, best first. */
export async function environments(): Promise<string[]> {
  const python = await api();
  const folders: string[] = [];
  if (python) {
    const environment = await python.environments.resolveEnvironment(python.environments.getActiveEnvironmentPath());
    if (environment?.executable.uri) folders.push(dirname(dirname(environment.executable.uri.fsPath)));
  }
  return [...folders, ...workspaceEnvironments()];
}

function workspaceEnvironments(): string[] {
  return (vscode.workspace.workspaceFolders ?? [])
    .flatMap(({ uri }) => [".venv", "venv"].map((name) => join(uri.fsPath, name)))
    .filter((folder) => existsSync(join(folder, "pyvenv.cfg")));
}

/** Calls back when the user selects another environment. */
export async function onDidSelect(listener: () => void): Promise<vscode.Disposable | undefined> {
  return (await api())?.environments.onDidChangeActiveEnvironmentPath(listener);
}
