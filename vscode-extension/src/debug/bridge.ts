// The debug server of this window (`stepbridge dap`): one process, one loopback port, started at first need and
// started again, after a growing pause, when it ends by itself.

import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import * as vscode from "vscode";
import { Backoff } from "../common/backoff.ts";
import type { Log } from "../common/log.ts";
import type { Status } from "../common/status.ts";
import type { ToolFinder } from "../common/tool.ts";
import { parseListening, type Listening } from "./listening.ts";

const patience = 30_000;

export class Bridge implements vscode.Disposable {
  readonly #tools: ToolFinder;
  readonly #log: Log;
  readonly #status: Status;
  readonly #backoff = new Backoff();
  readonly #subscription: vscode.Disposable;
  #process: ChildProcess | undefined;
  #listening: Promise<Listening> | undefined;
  #notBefore = 0;

  constructor(tools: ToolFinder, log: Log, status: Status) {
    this.#tools = tools;
    this.#log = log;
    this.#status = status;
    this.#subscription = tools.onDidChange(() => { this.stop(); });
  }

  dispose(): void {
    this.#subscription.dispose();
    this.stop();
  }

  /** Where the server listens; starts it where it does not run. */
  listening(): Promise<Listening> {
    this.#listening ??= this.#start();
    return this.#listening;
  }

  /** Ends the server; it ends its sessions first. */
  stop(): void {
    const running = this.#process;
    this.#process = undefined;
    this.#listening = undefined;
    running?.kill("SIGTERM");
  }

  async #start(): Promise<Listening> {
    const tool = await this.#tools.need();
    if (tool === undefined) {
      this.#listening = undefined;
      throw new Error("StepBridge's command-line tool is not installed.");
    }
    const pause = this.#notBefore - Date.now();
    if (pause > 0) await new Promise((done) => setTimeout(done, pause));
    const cwd = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
    this.#status.server("debug server", "starting");
    this.#backoff.started();
    const child = spawn(tool.command, ["dap", "--port", "0", "--token"], { cwd, stdio: ["pipe", "pipe", "pipe"] });
    this.#process = child;
    this.#follow(child);
    try {
      const place = await firstLine(child);
      this.#status.server("debug server", "running");
      this.#log.channel.info(`The debug server listens on port ${String(place.port)}.`);
      return place;
    } catch (error) {
      child.kill("SIGKILL");
      this.#status.server("debug server", "failing");
      throw error;
    }
  }

  #follow(child: ChildProcess): void {
    if (child.stderr) {
      createInterface({ input: child.stderr }).on("line", (line) => { this.#log.channel.info(`debug server: ${line}`); });
    }
    child.once("exit", (code, signal) => {
      if (this.#process !== child) return; // stopped by us
      this.#process = undefined;
      this.#listening = undefined;
      const delay = this.#backoff.ended();
      this.#notBefore = Date.now() + delay;
      this.#status.server("debug server", this.#backoff.failures > 3 ? "failing" : "stopped");
      this.#log.channel.warn(`The debug server ended (${signal ?? String(code)}).`);
    });
  }
}

/** Waits for the line that names port and token. */
function firstLine(child: ChildProcess): Promise<Listening> {
  return new Promise((done, fail) => {
    const late = setTimeout(() => { fail(new Error("The debug server did not say where it listens within 30 s.")); }, patience);
    child.once("error", (error) => { clearTimeout(late); fail(error); });
    let words = "";
    child.stderr?.on("data", (data: Buffer) => { words = `${words}${data.toString()}`.slice(-2000); });
    child.once("close", (code) => {
      clearTimeout(late);
      const last = words.trim().split("\n").at(-1) ?? "";
      fail(new Error(`The debug server ended at once (exit code ${String(code)}). ${last || "The StepBridge log may say more."}`));
    });
    if (child.stdout === null) return;
    createInterface({ input: child.stdout }).on("line", (line) => {
      const place = parseListening(line);
      if (place === undefined) return;
      clearTimeout(late);
      done(place);
    });
  });
}
