// The extension's own environment: made from the wheel in the VSIX, after the user said yes. It lies in the
// extension's global storage, one folder per version; folders of other versions go once the new one works.

import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import * as vscode from "vscode";
import type { Log } from "./log.ts";
import { commandIn, compareVersions, parseVersion } from "./locate.ts";
import { stdout } from "./run.ts";

const oldestPython = "3.11";
const oldestPip = "22.3"; // the first that knows --python
const pythonNames = ["python3.13", "python3.12", "python3.11", "python3", "python", "python3.14"];

export function privateEnvironment(context: vscode.ExtensionContext): string {
  const { version } = context.extension.packageJSON as { version: string };
  return join(context.globalStorageUri.fsPath, `environment-${version}`);
}

/** The wheel in the VSIX; undefined when the extension runs from its source. */
export async function bundledWheel(context: vscode.ExtensionContext): Promise<string | undefined> {
  const folder = context.asAbsolutePath("wheel");
  try {
    const name = (await readdir(folder)).find((file) => file.endsWith(".whl"));
    return name && join(folder, name);
  } catch {
    return undefined;
  }
}

/** An interpreter that can run the tool: the preferred one, or the first on PATH that is new enough. */
export async function suitablePython(preferred: string | undefined): Promise<string | undefined> {
  for (const name of [...(preferred ? [preferred] : []), ...pythonNames]) {
    try {
      const version = parseVersion(await stdout(name, ["--version"], { timeout: 10_000 }));
      if (version && compareVersions(version, oldestPython) >= 0) return name;
    } catch {
      // not on this machine; the next name may be
    }
  }
  return undefined;
}

/** Makes the environment with progress in a notification; throws what went wrong. */
export async function install(context: vscode.ExtensionContext, log: Log, python: string, wheel: string): Promise<void> {
  const place = privateEnvironment(context);
  const options = { location: vscode.ProgressLocation.Notification, title: "Installing StepBridge", cancellable: true };
  await vscode.window.withProgress(options, async (progress, token) => {
    const abort = new AbortController();
    token.onCancellationRequested(() => { abort.abort(); });
    const run = async (message: string, command: string, args: string[]): Promise<void> => {
      progress.report({ message });
      log.channel.info(`${command} ${args.join(" ")}`);
      log.channel.debug(await stdout(command, args, { signal: abort.signal }));
    };
    try {
      await mkdir(context.globalStorageUri.fsPath, { recursive: true });
      const pip = await installer(python, place);
      await run("making an environment", python, ["-m", "venv", "--clear", ...pip.venv, place]);
      // modules are compiled when they are first used, where Python may keep the result: most never are
      const compile = process.env.PYTHONDONTWRITEBYTECODE ? [] : ["--no-compile"];
      await run("installing packages (about half a minute)", pip.command, [
        ...pip.words, "install", "--disable-pip-version-check", "--no-input", ...compile, wheel,
      ]);
      await removeOthers(context);
    } catch (error) {
      await rm(place, { recursive: true, force: true });
      throw error;
    }
  });
}

interface Installer {
  /** More words for venv. */
  readonly venv: readonly string[];
  readonly command: string;
  readonly words: readonly string[];
}

/** The interpreter's own pip where it can install into another environment, else one of the new environment's own. */
async function installer(python: string, place: string): Promise<Installer> {
  try {
    const version = parseVersion(await stdout(python, ["-m", "pip", "--version"], { timeout: 30_000 }));
    if (version && compareVersions(version, oldestPip) >= 0) {
      return { venv: ["--without-pip"], command: python, words: ["-m", "pip", "--python", commandIn(place, "python")] };
    }
  } catch {
    // an interpreter without pip: venv brings one along
  }
  return { venv: [], command: commandIn(place, "python"), words: ["-m", "pip"] };
}

async function removeOthers(context: vscode.ExtensionContext): Promise<void> {
  const kept = privateEnvironment(context);
  const folder = context.globalStorageUri.fsPath;
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (name.startsWith("environment-") && path !== kept) await rm(path, { recursive: true, force: true });
  }
}
