// The sample project: a pipeline that works, copied where the user wants it.

import { access, cp } from "node:fs/promises";
import { join } from "node:path";
import * as vscode from "vscode";

export async function createSample(extension: vscode.Uri): Promise<void> {
  const parent = await vscode.window.showOpenDialog({
    canSelectFolders: true, canSelectFiles: false, canSelectMany: false,
    title: "Where shall the sample project be made?", openLabel: "Create Here",
    ...(vscode.workspace.workspaceFolders?.[0] ? { defaultUri: vscode.workspace.workspaceFolders[0].uri } : {}),
  });
  const [folder] = parent ?? [];
  if (folder === undefined) return;
  const target = await free(join(folder.fsPath, "wine-pipeline"));
  await cp(vscode.Uri.joinPath(extension, "out/sample").fsPath, target, { recursive: true });
  const made = vscode.Uri.file(target);
  if (vscode.workspace.getWorkspaceFolder(made) === undefined) {
    await vscode.commands.executeCommand("vscode.openFolder", made);
    return;
  }
  await vscode.window.showTextDocument(vscode.Uri.joinPath(made, "pipeline.py"));
}

async function free(wanted: string): Promise<string> {
  for (let number = 1; ; number++) {
    const path = number === 1 ? wanted : `${wanted}-${String(number)}`;
    const taken = await access(path).then(() => true, () => false);
    if (!taken) return path;
  }
}
