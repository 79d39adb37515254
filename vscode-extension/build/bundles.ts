// What is bundled, and how: the extension (Node) and the page of the graph (browser).

import type { BuildOptions } from "esbuild";
import { fileURLToPath } from "node:url";

/** Options for esbuild, one object per bundle. */
export function bundles(production: boolean): (BuildOptions & { metafile: true })[] {
  const shared = {
    absWorkingDir: fileURLToPath(new URL("..", import.meta.url)), metafile: true,
    bundle: true, minify: production, sourcemap: production ? false : "linked", logLevel: "warning",
    legalComments: "none", // notices.ts takes the whole texts
  } as const;
  return [
    {
      ...shared,
      // the language client is most of the code; it is a file of its own so that activation does not load it
      entryPoints: { extension: "src/extension.ts", languageclient: "vscode-languageclient/node" },
      outdir: "out", outExtension: { ".js": ".cjs" },
      platform: "node", target: "node20", format: "cjs",
      external: ["vscode", "./languageclient.cjs"], mainFields: ["module", "main"],
    },
    { ...shared, entryPoints: { graph: "src/graph/page/main.ts" }, outdir: "out", platform: "browser", target: "es2022", format: "iife" },
  ];
}
