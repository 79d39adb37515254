// The pipelines of the workspace: which files hold some, and what the language server says of each. Asked once per
// version of a file; everybody who shows pipelines reads them here.

import { readFile, stat } from "node:fs/promises";
import * as vscode from "vscode";
import { languages, looksLikePipeline } from "../common/detect.ts";
import type { PipelineModel } from "../model/pipeline.ts";
import type { LanguageServer } from "./client.ts";

export interface Located {
  readonly uri: vscode.Uri;
  readonly pipeline: PipelineModel;
}

const searched = "**/*.{py,json}";
const notSearched = "**/{node_modules,.venv,venv,site-packages,.stepbridge,.git,__pycache__,.ipynb_checkpoints}/**";
const mostFiles = 3000;
const largestFile = 2_000_000;
const quiet = 250; // milliseconds without a key press before a changed file is asked for again

export class Pipelines implements vscode.Disposable {
  readonly #server: LanguageServer;
  readonly #wanted: () => void;
  readonly #changed = new vscode.EventEmitter<vscode.Uri | undefined>();
  readonly #known = new Map<string, readonly PipelineModel[]>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #subscriptions: vscode.Disposable[];
  #search: Promise<void> | undefined;

  /** Fires with the file whose pipelines changed, or undefined when any may have. */
  readonly onDidChange = this.#changed.event;

  /** `wanted` is called when somebody asks for all pipelines: the server may not have been needed before. */
  constructor(server: LanguageServer, wanted: () => void) {
    this.#server = server;
    this.#wanted = wanted;
    const files = vscode.workspace.createFileSystemWatcher(searched);
    this.#subscriptions = [
      this.#changed,
      files,
      files.onDidCreate((uri) => { void this.#look(uri); }),
      files.onDidChange((uri) => { void this.#look(uri); }),
      files.onDidDelete((uri) => { this.#set(uri, []); }),
      server.onReady(() => { this.#forget(); }),
      vscode.workspace.onDidOpenTextDocument((document) => { this.#later(document, 0); }),
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (contentChanges.length > 0) this.#later(document, quiet);
      }),
    ];
  }

  dispose(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  /** Every pipeline of the workspace, after a search the first time. Waits for a server that starts just now. */
  async all(): Promise<Located[]> {
    this.#wanted();
    await this.#server.settled();
    if (this.#server.running) {
      this.#search ??= this.#searchWorkspace();
      await this.#search;
    }
    return this.known();
  }

  /** What is known without asking. */
  known(): Located[] {
    return [...this.#known]
      .flatMap(([uri, pipelines]) => pipelines.map((pipeline) => ({ uri: vscode.Uri.parse(uri), pipeline })))
      .sort((a, b) => a.uri.path.localeCompare(b.uri.path) || a.pipeline.range.start.line - b.pipeline.range.start.line);
  }

  /** The pipelines of one file. */
  async of(uri: vscode.Uri): Promise<readonly PipelineModel[]> {
    const key = uri.toString();
    if (!this.#known.has(key) || this.#timers.has(key)) await this.#ask(uri);
    return this.#known.get(key) ?? [];
  }

  /** The pipeline that a file and a name speak of; the file's first where no name is given. */
  async find(uri: vscode.Uri, name?: string): Promise<PipelineModel | undefined> {
    const pipelines = await this.of(uri);
    return name === undefined ? pipelines[0] : pipelines.find((pipeline) => pipeline.name === name);
  }

  async refresh(): Promise<void> {
    this.#forget();
    await this.all();
  }

  #forget(): void {
    this.#known.clear();
    this.#search = undefined;
    this.#changed.fire(undefined);
  }

  async #searchWorkspace(): Promise<void> {
    const files = await vscode.workspace.findFiles(searched, notSearched, mostFiles);
    const queue = files.values();
    const worker = async (): Promise<void> => {
      for (const uri of queue) await this.#look(uri);
    };
    await Promise.all(Array.from({ length: 8 }, worker));
  }

  async #look(uri: vscode.Uri): Promise<void> {
    if (!this.#server.running || uri.path.includes("/.stepbridge/")) return;
    const open = vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri.toString());
    const language = uri.path.endsWith(".py") ? "python" : "json";
    try {
      if (open === undefined && (await stat(uri.fsPath)).size > largestFile) return;
      const text = open ? open.getText() : await readFile(uri.fsPath, "utf8");
      if (looksLikePipeline(language, text)) await this.#ask(uri);
      else this.#set(uri, []);
    } catch {
      this.#set(uri, []); // gone or unreadable meanwhile
    }
  }

  #later(document: vscode.TextDocument, delay: number): void {
    if (document.uri.scheme !== "file" || !(languages as readonly string[]).includes(document.languageId)) return;
    const key = document.uri.toString();
    if (!this.#known.has(key) && !looksLikePipeline(document.languageId, document.getText())) return;
    clearTimeout(this.#timers.get(key));
    this.#timers.set(key, setTimeout(() => {
      this.#timers.delete(key);
      void this.#ask(document.uri);
    }, delay));
  }

  async #ask(uri: vscode.Uri): Promise<void> {
    try {
      const result = await this.#server.pipelines(uri);
      if (result) this.#set(uri, result.pipelines);
    } catch {
      // the server ended or refused; it is asked again when it is ready or the file changes
    }
  }

  #set(uri: vscode.Uri, pipelines: readonly PipelineModel[]): void {
    const key = uri.toString();
    if (pipelines.length === 0 && !this.#known.has(key)) return;
    if (pipelines.length === 0) this.#known.delete(key);
    else this.#known.set(key, pipelines);
    this.#changed.fire(uri);
  }
}
