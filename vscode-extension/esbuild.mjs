// Builds the bundles, writes the notices of the packages in them, and brings the sample project and the pictures of
// the walkthrough along.

import { context, build } from "esbuild";
import { cp, rm, writeFile } from "node:fs/promises";
import { bundles } from "./build/bundles.ts";
import { bundledPackages, notices } from "./build/notices.ts";

const wanted = bundles(process.argv.includes("--production"));

await rm("out", { recursive: true, force: true });
await cp("../examples/wine", "out/sample", { recursive: true, filter: (path) => !/\.stepbridge|__pycache__/.test(path) });
await cp("../docs/images", "out/pictures", { recursive: true });
if (process.argv.includes("--watch")) {
  for (const options of wanted) await (await context({ ...options, logLevel: "info" })).watch();
} else {
  const built = await Promise.all(wanted.map((options) => build(options)));
  await writeFile("THIRD_PARTY_NOTICES.txt", notices(bundledPackages(built.map(({ metafile }) => metafile), ".")));
}
