// One place that starts short-lived commands and reads what they print.

import { execFile } from "node:child_process";

export interface CommandOptions {
  readonly cwd?: string;
  /** Milliseconds; none by default. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

/** The command's exit was not zero, or it did not start. `message` is its last words. */
export class CommandError extends Error {
  readonly stdout: string;

  constructor(message: string, output: string) {
    super(message);
    this.name = "CommandError";
    this.stdout = output;
  }
}

/** What `command` writes to stdout. */
export function stdout(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  return new Promise((done, fail) => {
    execFile(command, args, { ...options, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 }, (error, output, errors) => {
      if (error === null) {
        done(output);
        return;
      }
      const words = errors.trim();
      fail(new CommandError(words.split("\n").slice(-6).join("\n") || error.message, output));
    });
  });
}
