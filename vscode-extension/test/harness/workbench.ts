// The verbs of a person at the workbench. Knows VS Code's page, nothing of StepBridge.

import assert from "node:assert/strict";
import { chromium, type BrowserContext, type Locator, type Page } from "playwright-core";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after } from "node:test";
import sharp from "sharp";
import { CodeServer, extensionFolder, repository, toolchain, type ServerOptions } from "./server.ts";

export interface OpenOptions extends ServerOptions {
  readonly folder: string;
  /** Loads the extension from its folder; false when a VSIX is installed. */
  readonly development?: boolean;
  /** More pairs for the page's payload. */
  readonly payload?: (server: CodeServer) => readonly (readonly [string, string])[];
  readonly viewport?: { width: number; height: number };
  readonly before?: (page: Page) => Promise<void>;
  /** Waits until the explorer shows the folder (default true). */
  readonly wait?: boolean;
}

const chromiumFlags = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync", "--force-color-profile=srgb",
  // nothing but the test's own server; Playwright's own filter would turn the browser's cache off
  "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE *.vscode-cdn.net",
];

const usualSize = { width: 1280, height: 800 };
const fonts = join(extensionFolder, "test/harness/fonts.conf");

// One browser for all windows of this process, and one server for all that ask for the same: the workbench is several
// megabytes of code, which a browser that knows it opens in a fraction of the time.
const servers = new Map<string, Promise<CodeServer>>();
let browser: { readonly profile: string; readonly context: Promise<BrowserContext> } | undefined;

function sharedBrowser(): Promise<BrowserContext> {
  if (browser === undefined) {
    const profile = mkdtempSync(join(tmpdir(), "stepbridge-chromium-"));
    const context = chromium.launchPersistentContext(profile, {
      executablePath: toolchain().chromium, headless: true, args: chromiumFlags, env: { ...process.env, FONTCONFIG_FILE: fonts },
    });
    browser = { profile, context };
  }
  return browser.context;
}

function serverFor(options: ServerOptions): Promise<CodeServer> {
  const { environment = {}, settings = {}, vsix = [], workspaceTrust = false } = options;
  const wanted = { environment, settings, vsix, workspaceTrust };
  const key = JSON.stringify(wanted, (_, value: unknown) => value ?? null); // a variable that is removed counts too
  const server = servers.get(key) ?? CodeServer.start(wanted);
  servers.set(key, server);
  return server;
}

after(async () => {
  if (browser) {
    await (await browser.context).close();
    rmSync(browser.profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
  await Promise.all([...servers.values()].map(async (server) => (await server).stop()));
});

export class Workbench {
  readonly page: Page;
  readonly server: CodeServer;

  private constructor(page: Page, server: CodeServer) {
    this.page = page;
    this.server = server;
  }

  /** A window on a folder: a new extension host and nothing remembered, whatever was open before. */
  static async open(options: OpenOptions): Promise<Workbench> {
    const [server, context] = await Promise.all([serverFor(options), sharedBrowser()]);
    const page = await context.newPage();
    try {
      await page.setViewportSize(options.viewport ?? usualSize);
      const devtools = await context.newCDPSession(page);
      // what VS Code keeps in the browser, but not its code
      await devtools.send("Storage.clearDataForOrigin", { origin: server.origin, storageTypes: "cookies,indexeddb,local_storage" });
      await devtools.detach();
      page.setDefaultTimeout(30_000);
      if (process.env.STEPBRIDGE_VERBOSE) page.on("console", (message) => { console.log("[console]", message.text().slice(0, 300)); });
      await options.before?.(page);
      const payload: (readonly [string, string])[] = [["skipWelcome", "true"], ...(options.payload?.(server) ?? [])];
      if (options.development !== false) payload.push(["extensionDevelopmentPath", server.authority + extensionFolder]);
      await page.goto(server.url(options.folder, payload), { waitUntil: "domcontentloaded" });
      const workbench = new Workbench(page, server);
      if (options.wait !== false) await workbench.ready();
      return workbench;
    } catch (error) {
      await page.close();
      throw error;
    }
  }

  /** Closes the window; what its extension host ran has ended then. */
  async close(): Promise<void> {
    await this.page.close();
    await this.server.settled();
  }

  /** No session, no breakpoint, no editor, no message: as for somebody who begins with something else. */
  async tidy(): Promise<void> {
    await this.page.keyboard.press("Escape");
    const toolbar = this.page.locator(".debug-toolbar");
    for (let attempt = 0; await toolbar.isVisible(); attempt++) {
      await this.page.keyboard.press("Shift+F5"); // one of several sessions, or what ends by itself just now
      try {
        await toolbar.waitFor({ state: "hidden", timeout: 5000 });
      } catch (error) {
        if (attempt === 10) throw error;
      }
    }
    await this.command("Remove All Breakpoints");
    await this.command("Clear Console");
    await this.command("Notifications: Clear All Notifications");
    if (await this.page.locator(".tabs-container .tab.dirty").count()) await this.command("File: Save All");
    await this.command("View: Close All Editors");
    await this.page.locator(".tabs-container .tab").first().waitFor({ state: "detached" });
  }

  async resize(viewport: OpenOptions["viewport"] = usualSize): Promise<void> {
    await this.page.setViewportSize(viewport);
  }

  async ready(): Promise<void> {
    await this.page.locator(".explorer-folders-view .monaco-list-row").first().waitFor({ timeout: 60_000 });
    await this.page.evaluate(() => (globalThis as unknown as { driver?: { whenWorkbenchRestored(): Promise<void> } }).driver?.whenWorkbenchRestored());
  }

  get #quickInput(): Locator {
    return this.page.locator(".quick-input-widget .quick-input-box input");
  }

  /** Opens the one box: a file name, `:LINE`, or `>Command title`. */
  async quickOpen(text: string): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      await this.page.keyboard.press("F1"); // the first press may come before the key bindings are loaded
      try {
        await this.#quickInput.waitFor({ state: "visible", timeout: 3000 });
        break;
      } catch (error) {
        if (attempt === 4) throw error;
      }
    }
    await this.#quickInput.fill(text);
  }

  /** Takes the row of the open quick pick that holds `text`. */
  async pick(text: string | RegExp): Promise<void> {
    await this.page.locator(".quick-input-list .monaco-list-row", { hasText: text }).first().click();
  }

  /** Answers the open input box. */
  async answer(text: string): Promise<void> {
    await this.#quickInput.waitFor({ state: "visible" });
    await this.#quickInput.fill(text);
    await this.page.keyboard.press("Enter");
  }

  async command(title: string): Promise<void> {
    await this.quickOpen(`>${title}`);
    await this.page.locator(".quick-input-list .monaco-list-row", { hasText: title }).first().waitFor();
    await this.page.keyboard.press("Enter");
  }

  async openFile(name: string, line?: number): Promise<void> {
    await this.quickOpen(name);
    await this.page.locator(".quick-input-list .monaco-list-row", { hasText: name }).first().waitFor();
    await this.page.keyboard.press("Enter");
    await this.page.locator(`.tabs-container .tab.active[data-resource-name="${name.split("/").at(-1) ?? name}"]`).waitFor();
    await this.page.locator(".editor-group-container.active .monaco-editor .view-line").first().waitFor();
    if (line !== undefined) await this.gotoLine(line);
  }

  async gotoLine(line: number): Promise<void> {
    await this.quickOpen(`:${String(line)}`);
    await this.page.keyboard.press("Enter");
    await this.#quickInput.waitFor({ state: "hidden" });
    await this.page.locator("#status\\.editor\\.selection", { hasText: `Ln ${String(line)},` }).waitFor();
  }

  async breakpoint(file: string, line: number): Promise<void> {
    await this.openFile(file, line);
    await this.page.keyboard.press("F9");
    await this.page.locator('.editor-group-container.active .glyph-margin-widgets .cgmr[class*="codicon-debug-breakpoint"]').first().waitFor();
  }

  /** Waits until a debug session stands in `file` at `line`. */
  async stopped(file: string, line: number, timeout = 120_000): Promise<void> {
    await this.page.locator(".debug-top-stack-frame-line").first().waitFor({ state: "attached", timeout });
    // VS Code opens the view by itself, but not where a notification has the focus
    if (!(await this.page.locator(".debug-call-stack").isVisible())) await this.page.keyboard.press("Control+Shift+D");
    await this.page.locator(".debug-call-stack .stack-frame", { hasText: file })
      .filter({ hasText: new RegExp(`(?<!\\d)${String(line)}:\\d+`) }).first().waitFor({ timeout });
  }

  /** Waits until no debug session is left. */
  async finished(timeout = 90_000): Promise<void> {
    await this.page.locator(".debug-toolbar").waitFor({ state: "hidden", timeout });
  }

  /** Waits for a line of the debug console. */
  async console(text: string | RegExp, timeout = 90_000): Promise<void> {
    await this.command("Debug Console: Focus on Debug Console View");
    await this.page.locator(".repl .monaco-list-row", { hasText: text }).first().waitFor({ timeout });
  }

  /** Opens a scope or a structure in the Variables view. */
  async expand(row: string | RegExp): Promise<void> {
    const line = this.page.locator(".debug-variables .monaco-list-row", { hasText: row }).first();
    await line.waitFor();
    if ((await line.getAttribute("aria-expanded")) === "false") await line.locator(".monaco-tl-twistie").click();
    await this.page.locator('.debug-variables .monaco-list-row[aria-expanded="true"]', { hasText: row }).first().waitFor();
  }

  /** Closes a scope or a structure in the Variables view, where it is open. */
  async collapse(row: string | RegExp): Promise<void> {
    const line = this.page.locator(".debug-variables .monaco-list-row", { hasText: row }).first();
    await line.waitFor();
    if ((await line.getAttribute("aria-expanded")) === "true") await line.locator(".monaco-tl-twistie").click();
    await this.page.locator('.debug-variables .monaco-list-row[aria-expanded="false"]', { hasText: row }).first().waitFor();
  }

  /** Types a new value for a variable, as a double click does. */
  async setVariable(row: string | RegExp, value: string): Promise<void> {
    const line = this.page.locator(".debug-variables .monaco-list-row", { hasText: row }).first();
    await line.locator(".value").dblclick();
    const box = line.locator("input");
    await box.fill(value);
    await this.page.keyboard.press("Enter");
    await box.waitFor({ state: "hidden" });
  }

  /** The row of the Variables view that holds `text`. */
  variable(text: string | RegExp): Locator {
    return this.page.locator(".debug-variables .monaco-list-row", { hasText: text }).first();
  }

  async openView(title: string): Promise<void> {
    const tab = this.page.locator(`.activitybar .action-label[aria-label^="${title}"], .activitybar .action-item[aria-label^="${title}"]`).first();
    const item = this.page.locator(`.activitybar .action-item.checked[aria-label^="${title}"], .activitybar .action-item.checked:has([aria-label^="${title}"])`);
    if (!(await item.isVisible())) await tab.click(); // a second click would close it
    await this.page.locator(".sidebar .composite.title", { hasText: title }).waitFor();
  }

  /** A row of a tree in the side bar. */
  row(text: string | RegExp): Locator {
    return this.page.locator(".sidebar .pane-body .monaco-list-row", { hasText: text }).first();
  }

  /** Clicks an inline action of a row. */
  async inline(row: Locator, action: string): Promise<void> {
    await row.hover();
    await row.locator(`.actions .action-label[aria-label^="${action}"]`).click();
  }

  /** Clicks the first lens with this title. */
  async lens(title: string | RegExp): Promise<void> {
    await this.page.locator(".codelens-decoration a", { hasText: title }).first().click();
  }

  /** Rests the mouse on a mark of the editor until a hover with `text` shows; marks are drawn anew when lines move. */
  async hover(mark: Locator, text: string): Promise<void> {
    const shown = this.page.locator(".monaco-hover:visible", { hasText: text }).first();
    for (let attempt = 0; ; attempt++) {
      const box = await mark.boundingBox();
      if (box) {
        await this.page.mouse.move(box.x + box.width / 2 + attempt, box.y + box.height / 2);
        try {
          await shown.waitFor({ timeout: 5000 });
          return;
        } catch (error) {
          if (attempt > 5) throw error;
        }
      }
      assert.ok(attempt < 50, "the mark is not drawn");
      await this.page.waitForTimeout(100);
    }
  }

  async callStack(): Promise<string[]> {
    return this.#rows(".debug-call-stack .monaco-list-row");
  }

  async variables(): Promise<string[]> {
    await this.page.locator(".debug-variables .expression").first().waitFor();
    return this.#rows(".debug-variables .monaco-list-row");
  }

  async problems(): Promise<string[]> {
    await this.command("Problems: Focus on Problems View");
    await this.page.locator(".markers-panel .monaco-list-row").first().waitFor();
    return this.#rows(".markers-panel .monaco-list-row");
  }

  async #rows(selector: string): Promise<string[]> {
    const rows = await this.page.locator(selector).allInnerTexts();
    return rows.map((row) => row.replaceAll("\n", " "));
  }

  /** A notification; its toast is not shown while VS Code is driven, so the list of notifications is opened. */
  async notification(text: string | RegExp, timeout = 60_000): Promise<Locator> {
    const item = this.page.locator(".notifications-center .notification-list-item", { hasText: text });
    const end = Date.now() + timeout;
    for (;;) {
      // the list closes when something else takes the focus, and a new notification does not open it
      await this.page.locator("#status\\.notifications .codicon-bell-dot, .notifications-center.visible").first().waitFor({ timeout: Math.max(1, end - Date.now()) });
      if (!(await this.page.locator(".notifications-center.visible").isVisible())) await this.command("Notifications: Show Notifications");
      try {
        await item.first().waitFor({ timeout: 3000 });
        return item.first();
      } catch (error) {
        if (Date.now() > end) throw error;
      }
    }
  }

  /** Waits until the extension's item in the status bar says `text`. */
  async status(text: string | RegExp, timeout = 30_000): Promise<void> {
    await this.page.locator("#stepbridge\\.stepbridge\\.stepbridge\\.status:visible .statusbar-item-label", { hasText: text }).waitFor({ timeout });
  }

  /** The inner page of the webview whose title is `title`. */
  webview(title: string): ReturnType<Locator["contentFrame"]> {
    return this.page.locator("iframe.webview.ready").last().contentFrame().locator(`iframe[title="${title}"]`).contentFrame();
  }

  /**
   * Writes a screenshot below test-results, and where STEPBRIDGE_DOCS is set a small one to docs/images.
   * `docs`: what the docs show, as selectors of the parts of the window that the picture holds.
   */
  async screenshot(name: string, { docs = [] }: { docs?: readonly string[] } = {}): Promise<string> {
    const file = join(extensionFolder, "test-results", `${name}.png`);
    mkdirSync(dirname(file), { recursive: true });
    await this.page.screenshot({ path: file });
    if (docs.length > 0 && process.env.STEPBRIDGE_DOCS) {
      const small = await sharp(file).extract(await this.#around(docs)).png({ palette: true, effort: 10, dither: 0 }).toBuffer();
      writeFileSync(join(repository, "docs/images", `vscode-${name}.png`), small);
    }
    return file;
  }

  /** The rectangle that holds the first match of each selector. */
  async #around(selectors: readonly string[]): Promise<{ left: number; top: number; width: number; height: number }> {
    const boxes = (await Promise.all(selectors.map((selector) => this.page.locator(selector).first().boundingBox()))).filter((box) => box !== null);
    assert.equal(boxes.length, selectors.length, `not all of ${selectors.join(", ")} are shown`);
    const left = Math.floor(Math.min(...boxes.map(({ x }) => x)));
    const top = Math.floor(Math.min(...boxes.map(({ y }) => y)));
    return {
      left, top,
      width: Math.floor(Math.max(...boxes.map(({ x, width }) => x + width))) - left,
      height: Math.floor(Math.max(...boxes.map(({ y, height }) => y + height))) - top,
    };
  }
}
