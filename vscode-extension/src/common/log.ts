// The channel that tells what the extension does, and one channel per step for what the step prints.

import * as vscode from "vscode";

export class Log implements vscode.Disposable {
  readonly channel = vscode.window.createOutputChannel("StepBridge", { log: true });
  readonly #steps = new Map<string, vscode.OutputChannel>();

  /** The channel of one step of one pipeline; made at its first line. */
  step(pipeline: string, step: string): vscode.OutputChannel {
    const name = `${step} (${pipeline})`;
    let channel = this.#steps.get(name);
    if (channel === undefined) {
      channel = vscode.window.createOutputChannel(name);
      this.#steps.set(name, channel);
    }
    return channel;
  }

  has(pipeline: string, step: string): boolean {
    return this.#steps.has(`${step} (${pipeline})`);
  }

  dispose(): void {
    this.channel.dispose();
    for (const channel of this.#steps.values()) channel.dispose();
  }
}
