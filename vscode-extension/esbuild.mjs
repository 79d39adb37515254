// Bundles the extension (Node) and the page of the graph (browser), and brings the sample project and the pictures of
// the walkthrough along.

import { context, build } from "esbuild";
import { cp, rm } from "node:fs/promises";

const production = process.argv.includes("--production");
const shared = { bundle: true, minify: production, sourcemap: production ? false : "linked", logLevel: "warning", legalComments: "none" };
const bundles = [
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

await rm("out", { recursive: true, force: true });
await cp("../examples/wine", "out/sample", { recursive: true, filter: (path) => !/\.stepbridge|__pycache__/.test(path) });
await cp("../docs/images", "out/pictures", { recursive: true });
if (process.argv.includes("--watch")) {
  for (const options of bundles) await (await context({ ...options, logLevel: "info" })).watch();
} else {
  await Promise.all(bundles.map((options) => build(options)));
}
