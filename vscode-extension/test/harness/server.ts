// A VS Code (code-server: workbench and extension host in a browser) with its own user data, extensions folder, free
// port and process group. Each page that opens it gets an extension host of its own. Knows processes and folders,
// nothing of pages.

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { createWriteStream, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const extensionFolder = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const repository = resolve(extensionFolder, "..");

export interface Toolchain {
  readonly node: string;
  readonly codeServer: string;
  readonly chromium: string;
}

/** Where scripts/ensure_vscode.sh put things; it installs what is missing. */
export function toolchain(): Toolchain {
  const known = process.env.STEPBRIDGE_VSCODE;
  if (known) return JSON.parse(known) as Toolchain;
  const script = join(repository, "scripts/ensure_vscode.sh");
  const result = spawnSync("bash", [script], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  if (result.status !== 0) throw new Error(`${script} ended with ${String(result.status)}`);
  const text = result.stdout.trim().split("\n").at(-1) ?? "";
  process.env.STEPBRIDGE_VSCODE = text;
  return JSON.parse(text) as Toolchain;
}

export interface ServerOptions {
  /** Added to the environment of the extension host; `undefined` removes a variable. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** User settings. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Packages to install before the start. */
  readonly vsix?: readonly string[];
  /** Folders are trusted without a question unless this is true. */
  readonly workspaceTrust?: boolean;
}

const quietSettings = {
  "remote.autoForwardPorts": false,
  "security.workspace.trust.banner": "never",
  "telemetry.telemetryLevel": "off",
  "workbench.startupEditor": "none",
  "workbench.tips.enabled": false,
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "chat.commandCenter.enabled": false,
  "chat.disableAIFeatures": true,
  "update.mode": "none",
  "extensions.ignoreRecommendations": true,
  "window.commandCenter": false,
  "editor.minimap.enabled": false,
  "git.enabled": false,
};

export class CodeServer {
  readonly home: string;
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(home: string, port: number, child: ChildProcess) {
    this.home = home;
    this.port = port;
    this.#process = child;
  }

  /** Where the extension host's log channels are written. */
  get logs(): string {
    return join(this.home, "data/logs");
  }

  get authority(): string {
    return `vscode-remote://127.0.0.1:${String(this.port)}`;
  }

  get origin(): string {
    return `http://127.0.0.1:${String(this.port)}`;
  }

  static async start(options: ServerOptions = {}): Promise<CodeServer> {
    const tools = toolchain();
    const home = mkdtempSync(join(tmpdir(), "stepbridge-vscode-"));
    const userSettings = join(home, "data/User");
    mkdirSync(userSettings, { recursive: true });
    writeFileSync(join(home, "config.yaml"), "auth: none\n");
    const settings = JSON.stringify({ ...quietSettings, ...options.settings }, undefined, 2);
    writeFileSync(join(userSettings, "settings.json"), settings);
    // settings of machine scope are read from here in a remote window, which this is
    mkdirSync(join(home, "data/Machine"), { recursive: true });
    writeFileSync(join(home, "data/Machine/settings.json"), settings);
    const entry = join(tools.codeServer, "out/node/entry.js");
    const folders = ["--config", join(home, "config.yaml"), "--user-data-dir", join(home, "data"), "--extensions-dir", join(home, "extensions")];
    const environment: NodeJS.ProcessEnv = { ...process.env, EXTENSIONS_GALLERY: "{}", ...options.environment };
    delete environment.PORT;
    for (const [name, value] of Object.entries(environment)) if (value === undefined) Reflect.deleteProperty(environment, name);
    for (const file of options.vsix ?? []) {
      const installed = spawnSync(tools.node, [entry, ...folders, "--install-extension", file], { encoding: "utf8", env: environment });
      if (installed.status !== 0) throw new Error(`${file} did not install:\n${installed.stdout}${installed.stderr}`);
    }
    const child = spawn(
      tools.node,
      [
        entry, ...folders,
        "--auth", "none",
        "--bind-addr", "127.0.0.1:0",
        "--disable-telemetry", "--disable-update-check", "--disable-getting-started-override", "--disable-proxy",
        "--reconnection-grace-time", "1",
        "--vscode-option", "enable-smoke-test-driver",
        // the environment of the test, not the login shell's
        "--vscode-option", "force-disable-user-env",
        ...(options.workspaceTrust ? [] : ["--disable-workspace-trust"]),
      ],
      { env: environment, stdio: ["ignore", "pipe", "pipe"], detached: true },
    );
    const log = createWriteStream(join(home, "server.log"));
    child.stderr.pipe(log, { end: false });
    const port = await new Promise<number>((done, fail) => {
      let seen = "";
      child.stdout.on("data", (data: Buffer) => {
        log.write(data);
        seen += data.toString();
        const match = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(seen);
        if (match) done(Number(match[1]));
      });
      child.once("exit", (code) => { fail(new Error(`code-server ended with ${String(code)}:\n${seen}`)); });
    });
    return new CodeServer(home, port, child);
  }

  /** The page that opens `folder`, with the extension under development and whatever else the payload asks. */
  url(folder: string, payload: readonly (readonly [string, string])[] = []): string {
    const pairs = encodeURIComponent(JSON.stringify(payload));
    return `${this.origin}/?folder=${encodeURIComponent(folder)}&payload=${pairs}`;
  }

  /** Waits until the extension hosts of closed pages, and all that they started, have ended; ends what hangs. */
  async settled(): Promise<void> {
    const late = Date.now() + 10_000;
    for (;;) {
      const left = this.#guests();
      if (left.length === 0) return;
      if (Date.now() > late) for (const pid of left) process.kill(pid, "SIGKILL");
      await sleep(50);
    }
  }

  /** Processes of this server's group that belong to a page. */
  #guests(): number[] {
    const own = /code-server\/out\/node\/entry|--type=(?:ptyHost|fileWatcher)/;
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
      try {
        const [state, , group] = readFileSync(`/proc/${String(pid)}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
        return Number(group) === this.#process.pid && state !== "Z" && !own.test(readFileSync(`/proc/${String(pid)}/cmdline`, "utf8"));
      } catch {
        return false; // it has ended meanwhile
      }
    });
  }

  async stop(): Promise<void> {
    const { pid } = this.#process;
    if (pid !== undefined && this.#process.exitCode === null) {
      const ended = new Promise((done) => this.#process.once("exit", done));
      process.kill(-pid, "SIGTERM");
      const late = setTimeout(() => process.kill(-pid, "SIGKILL"), 5000);
      await ended;
      clearTimeout(late);
    }
    if (!process.env.STEPBRIDGE_KEEP) rmSync(this.home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
