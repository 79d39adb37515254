// Runs the checks of test/api/ inside the extension host of a real VS Code, and hands their results out.

import { build } from "esbuild";
import { join } from "node:path";
import { extensionFolder } from "./server.ts";
import { Workbench, type OpenOptions } from "./workbench.ts";

export interface Result {
  readonly name: string;
  readonly seconds: number;
  readonly error?: string;
}

/** Bundles `entry` (a file below test/api) and runs its `run()` in the extension host. */
export async function runInExtensionHost(entry: string, options: OpenOptions): Promise<Result[]> {
  const outfile = join(extensionFolder, "test-results/api", entry.replace(/\.ts$/, ".cjs"));
  await build({
    entryPoints: [join(extensionFolder, "test/api", entry)], outfile,
    bundle: true, platform: "node", target: "node20", format: "cjs", external: ["vscode"], logLevel: "warning", sourcemap: "inline",
  });
  const results: Result[] = [];
  const { promise: ended, resolve: end } = Promise.withResolvers<number>();
  const workbench = await Workbench.open({
    ...options,
    wait: false,
    payload: (server) => [...(options.payload?.(server) ?? []), ["extensionTestsPath", server.authority + outfile]],
    before: async (page) => {
      await page.exposeFunction("codeAutomationLog", (_type: string, words: unknown[]) => {
        const text = words.map(String).join(" ");
        const marked = /STEPBRIDGE-CHECK (\{.*\})/.exec(text);
        if (marked?.[1]) results.push(JSON.parse(marked[1]) as Result);
        else if (process.env.STEPBRIDGE_VERBOSE) console.log(text);
      });
      await page.exposeFunction("codeAutomationExit", (code: number) => { end(code); });
    },
  });
  const late = setTimeout(() => { end(-1); }, 120_000);
  const code = await ended;
  clearTimeout(late);
  await workbench.close();
  if (code === -1) throw new Error(`The checks of ${entry} did not end within two minutes; seen: ${results.map(({ name }) => name).join(", ")}`);
  return results;
}
