// Debug sessions: every one goes to the bridge's one port; children and run events arrive as custom events.

import * as vscode from "vscode";
import { isRunEvent, type RunEvent } from "../model/events.ts";
import type { Bridge } from "./bridge.ts";
import { debugType } from "./launch.ts";

interface ChildBody {
  readonly configuration: vscode.DebugConfiguration;
}

export class Sessions implements vscode.DebugAdapterDescriptorFactory, vscode.Disposable {
  readonly #bridge: Bridge;
  readonly #events = new vscode.EventEmitter<{ readonly event: RunEvent; readonly session: vscode.DebugSession }>();
  readonly #subscriptions: vscode.Disposable[];
  /** Run id -> the session that follows it. */
  readonly #parents = new Map<string, vscode.DebugSession>();

  readonly onEvent = this.#events.event;

  constructor(bridge: Bridge) {
    this.#bridge = bridge;
    this.#subscriptions = [
      this.#events,
      vscode.debug.onDidReceiveDebugSessionCustomEvent((event) => {
        if (event.session.type === debugType) this.#receive(event);
      }),
      vscode.debug.onDidTerminateDebugSession((session) => {
        for (const [run, parent] of this.#parents) if (parent.id === session.id) this.#parents.delete(run);
      }),
    ];
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  async createDebugAdapterDescriptor(): Promise<vscode.DebugAdapterDescriptor> {
    const { port } = await this.#bridge.listening();
    return new vscode.DebugAdapterServer(port, "127.0.0.1");
  }

  /** The session that follows a run in this window. */
  of(run: string): vscode.DebugSession | undefined {
    return this.#parents.get(run);
  }

  #receive({ session, event, body }: vscode.DebugSessionCustomEvent): void {
    if (event === "stepbridge/child") void this.#startChild(session, (body as ChildBody).configuration);
    else if (event === "stepbridge/event" && isRunEvent(body)) {
      if (body.event === "run-started") this.#parents.set(body.run, session);
      this.#events.fire({ event: body, session });
    }
  }

  async #startChild(parent: vscode.DebugSession, configuration: vscode.DebugConfiguration): Promise<void> {
    const nested = parent.parentSession !== undefined;
    await vscode.debug.startDebugging(parent.workspaceFolder, configuration, {
      parentSession: parent,
      lifecycleManagedByParent: true,
      consoleMode: vscode.DebugConsoleMode.MergeWithParent,
      // a worker process hides its parent row where it is the only one; a step stays visible below its run
      compact: nested,
      noDebug: false,
    });
  }
}
