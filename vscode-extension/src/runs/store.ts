// The runs that a person may look at: live ones, folded from events, and the history that the tool keeps.

import { dirname } from "node:path";
import * as vscode from "vscode";
import type { Log } from "../common/log.ts";
import { stdout } from "../common/run.ts";
import type { ToolFinder } from "../common/tool.ts";
import { ended, type RunEvent } from "../model/events.ts";
import { apply, fromHistory, type HistoryDetail, type HistoryRun, type Run } from "../model/run.ts";

const settle = 1000; // milliseconds from a change of the journal to its reading

/** A run of the list; steps are known for live runs and those that were opened. */
export interface ListedRun extends HistoryRun {
  /** The workspace folder of the tool's state (the parent of `.stepbridge`). */
  readonly folder: string;
}

export class Runs implements vscode.Disposable {
  readonly #tools: ToolFinder;
  readonly #log: Log;
  readonly #changed = new vscode.EventEmitter<Run | undefined>();
  readonly #live = new Map<string, Run>();
  readonly #opened = new Map<string, Run>();
  readonly #subscriptions: vscode.Disposable[];
  #listed: readonly ListedRun[] = [];
  #reading: Promise<void> | undefined;
  #stale = false;
  #soon: NodeJS.Timeout | undefined;

  /** Fires with a run that changed, or undefined when the list did. */
  readonly onDidChange = this.#changed.event;

  constructor(tools: ToolFinder, log: Log) {
    this.#tools = tools;
    this.#log = log;
    const journal = vscode.workspace.createFileSystemWatcher("**/.stepbridge/history.sqlite*");
    const written = (): void => { this.#later(); };
    this.#subscriptions = [
      this.#changed, journal,
      journal.onDidCreate(written), journal.onDidChange(written), journal.onDidDelete(written),
      tools.onDidChange(() => { void this.refresh(); }),
    ];
  }

  dispose(): void {
    clearTimeout(this.#soon);
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  /** Folds an event of a session of this window. Returns the run before and after. */
  follow(event: RunEvent): { readonly before: Run | undefined; readonly after: Run | undefined } {
    const before = this.#live.get(event.run);
    const after = apply(before, event);
    if (after !== undefined && after !== before) {
      this.#live.set(event.run, after);
      this.#changed.fire(after);
      if (before === undefined || ended(after.status)) this.#later();
    }
    return { before, after };
  }

  /** Runs that this window follows or followed, newest first. */
  get live(): readonly Run[] {
    return [...this.#live.values()].reverse();
  }

  /** All runs, newest first. */
  get list(): readonly ListedRun[] {
    return this.#listed;
  }

  /** What is known of a run without asking the tool. */
  known(id: string): Run | undefined {
    return this.#live.get(id) ?? this.#opened.get(id);
  }

  /** The newest run of a pipeline whose steps are known, live or opened. */
  latest(pipeline: string): Run | undefined {
    const live = this.live.find((run) => run.pipeline === pipeline);
    const listed = this.#listed.find((run) => run.pipeline === pipeline);
    if (listed && (live === undefined || listed.started > live.started)) return this.#opened.get(listed.run) ?? live;
    return live;
  }

  /** A run with its steps, read from the history where it is not live. */
  async open(id: string): Promise<Run | undefined> {
    const known = this.known(id);
    if (known) return known;
    const listed = this.#listed.find(({ run }) => run === id);
    const tool = await this.#tools.find();
    if (listed === undefined || tool === undefined) return undefined;
    const text = await stdout(tool.command, ["show", id, "--json"], { cwd: listed.folder });
    const run = fromHistory(JSON.parse(text) as HistoryDetail);
    this.#opened.set(id, run);
    this.#changed.fire(run);
    return run;
  }

  /** Folder of a run's state, for its logs and files. */
  folder(id: string): string | undefined {
    return this.#listed.find(({ run }) => run === id)?.folder;
  }

  /** Reads the history again. Calls that come while it is read lead to one more reading. */
  async refresh(): Promise<void> {
    if (this.#reading) {
      this.#stale = true;
      return this.#reading;
    }
    this.#reading = this.#read().finally(() => { this.#reading = undefined; });
    await this.#reading;
    if (this.#stale) {
      this.#stale = false;
      await this.refresh();
    }
  }

  /** The journal is written at every event; a live run of this window is known from its events anyway. */
  #later(): void {
    if (this.#soon !== undefined || this.live.some((run) => !ended(run.status) && this.folder(run.run) !== undefined)) return;
    this.#soon = setTimeout(() => {
      this.#soon = undefined;
      void this.refresh();
    }, settle);
  }

  async #read(): Promise<void> {
    if (!vscode.workspace.isTrusted) return;
    const tool = await this.#tools.find();
    if (tool === undefined) return;
    const journals = await vscode.workspace.findFiles("**/.stepbridge/history.sqlite", null, 50);
    const listed: ListedRun[] = [];
    for (const folder of journals.map((uri) => dirname(dirname(uri.fsPath)))) {
      try {
        const runs = JSON.parse(await stdout(tool.command, ["runs", "--json"], { cwd: folder })) as HistoryRun[];
        listed.push(...runs.map((run) => ({ ...run, folder })));
      } catch (error) {
        this.#log.channel.warn(`The history of ${folder} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    this.#listed = listed.sort((a, b) => b.started - a.started);
    // what was opened while it ran is old news now
    for (const [id, run] of this.#opened) if (!ended(run.status)) this.#opened.delete(id);
    await Promise.all(newestPerPipeline(this.#listed).map(({ run }) => this.open(run).catch(() => undefined)));
    this.#changed.fire(undefined);
  }
}

/** Their steps are shown beside the source, so they are opened by themselves. */
function newestPerPipeline(listed: readonly ListedRun[]): ListedRun[] {
  const newest = new Map<string, ListedRun>();
  for (const run of listed) if (!newest.has(run.pipeline)) newest.set(run.pipeline, run);
  return [...newest.values()];
}
