// A launch that the debug server refuses: said in a notification that offers a way out. It takes the place of VS
// Code's own dialog, whose only offer is a launch.json.

import type { DebugProtocol } from "@vscode/debugprotocol";
import * as vscode from "vscode";
import type { Log } from "../common/log.ts";
import { sentence } from "../model/text.ts";

/** Classes of errors that another engine may not have (bridge/stepbridge/errors.py). */
const engineErrors = ["EngineError", "ImageNotFoundError"];

export class LaunchFailures implements vscode.DebugAdapterTrackerFactory {
  readonly #log: Log;
  readonly #engineFailed: () => void;

  constructor(log: Log, engineFailed: () => void) {
    this.#log = log;
    this.#engineFailed = engineFailed;
  }

  createDebugAdapterTracker(session: vscode.DebugSession): vscode.DebugAdapterTracker {
    return {
      onDidSendMessage: (message: DebugProtocol.ProtocolMessage) => {
        const response = message as DebugProtocol.ErrorResponse;
        if (response.type !== "response" || response.command !== "launch" || response.success) return;
        const { error } = response.body;
        if (error === undefined) return;
        error.showUser = false; // the dialog; this object is what VS Code reads next
        const kind = (error.variables as { kind?: string } | undefined)?.kind ?? "";
        if (engineErrors.includes(kind)) this.#engineFailed();
        void this.#offer(session, error.format, engineErrors.includes(kind));
      },
    };
  }

  async #offer(session: vscode.DebugSession, problem: string, engine: boolean): Promise<void> {
    this.#log.channel.error(problem);
    const processes = engine && process.platform === "linux" && session.configuration.engine !== "process";
    const offers = [...(processes ? ["Use Local Processes This Time"] : []), "Try Again", "Show Log"];
    const choice = await vscode.window.showErrorMessage(sentence(problem), ...offers);
    if (choice === "Show Log") this.#log.channel.show();
    if (choice === undefined || choice === "Show Log") return;
    const { __client: _client, __token: _token, ...configuration } = session.configuration;
    const again = choice === "Try Again" ? configuration : { ...configuration, engine: "process" };
    await vscode.debug.startDebugging(session.workspaceFolder, again, { noDebug: session.configuration.noDebug === true });
  }
}
