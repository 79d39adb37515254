// Runs the language server (`stepbridge lsp`) and starts it again, with a growing pause, when it ends by itself.

import * as vscode from "vscode";
import type * as Lsp from "vscode-languageclient/node";
import { Backoff } from "../common/backoff.ts";
import type { Tool } from "../common/locate.ts";
import type { Log } from "../common/log.ts";
import { settings } from "../common/settings.ts";
import type { Status } from "../common/status.ts";
import type { PipelinesParams, PipelinesResult } from "../model/pipeline.ts";

/** The library, a bundle of its own (esbuild.mjs): loaded when the first server starts. */
function library(): typeof Lsp {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return require("./languageclient.cjs") as typeof Lsp;
}

const selector = [
  { scheme: "file", language: "python" },
  { scheme: "file", language: "json" },
  { scheme: "file", language: "jsonc" },
  { scheme: "file", language: "yaml" },
  { scheme: "file", language: "cloudformation" },
  { notebook: { scheme: "file", notebookType: "jupyter-notebook" }, language: "python" },
];

const patience = 20_000; // milliseconds that a question waits for a server that starts

export class LanguageServer implements vscode.Disposable {
  readonly #log: Log;
  readonly #status: Status;
  readonly #backoff = new Backoff();
  readonly #ready = new vscode.EventEmitter<void>();
  readonly #settled = new vscode.EventEmitter<void>();
  #client: Lsp.LanguageClient | undefined;
  #tool: Tool | undefined;
  #again: NodeJS.Timeout | undefined;
  /** There is no tool to start, as far as is known now. */
  #none = false;

  /** Fires when the server answers requests (again). */
  readonly onReady = this.#ready.event;

  constructor(log: Log, status: Status) {
    this.#log = log;
    this.#status = status;
  }

  dispose(): void {
    clearTimeout(this.#again);
    this.#ready.dispose();
    this.#settled.dispose();
    void this.#client?.dispose();
  }

  /** Runs `tool`'s server from now on; none when undefined. */
  async use(tool: Tool | undefined): Promise<void> {
    clearTimeout(this.#again);
    this.#backoff.forget();
    this.#tool = tool;
    this.#none = tool === undefined;
    const previous = this.#client;
    this.#client = undefined;
    await previous?.dispose();
    if (tool) await this.#start(tool);
    else this.#status.server("language server", "stopped");
    if (this.#none) this.#settled.fire();
  }

  /** Resolves once the server answers, or when none will for now. */
  async settled(): Promise<void> {
    if (this.running || this.#none || this.#backoff.failures > 0) return;
    await new Promise<void>((done) => {
      const subscription = this.#settled.event(() => { finish(); });
      const late = setTimeout(() => { finish(); }, patience);
      const finish = (): void => {
        clearTimeout(late);
        subscription.dispose();
        done();
      };
    });
  }

  restart(): Promise<void> {
    return this.use(this.#tool);
  }

  get running(): boolean {
    return this.#client?.isRunning() ?? false;
  }

  /** The pipelines of a document; undefined while the server is not there. */
  async pipelines(uri: vscode.Uri): Promise<PipelinesResult | undefined> {
    if (!this.#client?.isRunning()) return undefined;
    const params: PipelinesParams = { textDocument: { uri: this.#client.code2ProtocolConverter.asUri(uri) } };
    return this.#client.sendRequest<PipelinesResult>("stepbridge/pipelines", params);
  }

  async #start(tool: Tool): Promise<void> {
    const client = this.#make(tool);
    this.#client = client;
    this.#status.server("language server", "starting");
    this.#backoff.started();
    client.onDidChangeState(() => {
      if (this.#client !== client) return;
      if (client.isRunning()) {
        this.#status.server("language server", "running");
        this.#ready.fire();
        this.#settled.fire();
      }
    });
    try {
      await client.start();
    } catch (error) {
      this.#log.channel.error("The language server did not start.", error instanceof Error ? error : String(error));
      this.#retry(client);
    }
  }

  #make(tool: Tool): Lsp.LanguageClient {
    const { CloseAction, ErrorAction, LanguageClient } = library();
    const options: Lsp.LanguageClientOptions = {
      documentSelector: selector,
      outputChannel: this.#log.channel,
      synchronize: { fileEvents: vscode.workspace.createFileSystemWatcher("**/{*.py,stepbridge.toml,pyproject.toml}") },
      initializationOptions: { trusted: vscode.workspace.isTrusted },
      // servers that end are this class's affair: it waits longer each time and says so in the status item
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          this.#retry(this.#client);
          return { action: CloseAction.DoNotRestart, handled: true };
        },
      },
      initializationFailedHandler: () => false,
      middleware: {
        // run, debug and attach are the lenses' commands; in a workspace that is not trusted nothing runs
        provideCodeLenses: async (document, token, next) => {
          if (!vscode.workspace.isTrusted || !settings(document).codeLens) return [];
          // lenses without a command tell of the last run; views/marks.ts tells it live
          return ((await next(document, token)) ?? []).filter(({ command }) => command?.command);
        },
      },
    };
    const cwd = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
    // its own notifications would come at each restart; the status item and the log say the same
    class QuietClient extends LanguageClient {
      override error(message: string, data?: unknown): void {
        super.error(message, data, false);
      }
    }
    const client = new QuietClient("stepbridge", "StepBridge", {
      command: tool.command,
      args: ["lsp"],
      options: cwd === undefined ? {} : { cwd },
    }, options);
    return client;
  }

  #retry(client: Lsp.LanguageClient | undefined): void {
    if (client === undefined || client !== this.#client || this.#tool === undefined) return;
    const tool = this.#tool;
    this.#client = undefined;
    const delay = this.#backoff.ended();
    this.#settled.fire();
    this.#status.server("language server", this.#backoff.failures > 3 ? "failing" : "starting");
    this.#log.channel.warn(`The language server ended; next start in ${(delay / 1000).toFixed(1)} s.`);
    this.#again = setTimeout(() => {
      void client.dispose().catch(() => undefined).then(() => this.#start(tool));
    }, delay);
  }
}
