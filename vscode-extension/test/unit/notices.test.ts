import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import { bundles } from "../../build/bundles.ts";
import { bundledPackages, notices } from "../../build/notices.ts";
import { extensionFolder } from "../harness/server.ts";

/** A folder with installed packages: path of a file -> its text. */
function installed(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "stepbridge-notices-"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const manifest = (name: string, version: string): string => JSON.stringify({ name, version });

test("every package of the bundles is in the notices, with its licence", async () => {
  const built = await Promise.all(bundles(true).map((options) => build({ ...options, write: false })));
  const packages = bundledPackages(built.map(({ metafile }) => metafile), extensionFolder);
  const text = notices(packages);
  const inputs = built.flatMap(({ metafile }) => Object.keys(metafile.inputs));
  const names = new Set(inputs.flatMap((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []));
  assert.ok(names.has("@dagrejs/dagre") && names.has("vscode-languageclient"), [...names].join());
  for (const name of names) assert.match(text, new RegExp(`^${name.replaceAll("/", "\\/")} \\d+\\.\\d+\\.\\d+`, "m"));
  assert.equal(packages.length, names.size);
  // each has one of the texts that these packages are known by
  for (const part of text.split(/^-{80}\n(?=.+\n-{80}$)/m).slice(1)) assert.match(part, /Permission is hereby granted|Permission to use, copy|# Purpose/, part.slice(0, 200));
});

test("packages are found where they are nested, with what they say of others", () => {
  const root = installed({
    "node_modules/@scope/outer/package.json": manifest("@scope/outer", "1.0.0"),
    "node_modules/@scope/outer/License.txt": "outer's licence",
    "node_modules/@scope/outer/thirdpartynotices.txt": "outer's notice",
    "node_modules/@scope/outer/node_modules/inner/package.json": manifest("inner", "2.0.0"),
    "node_modules/@scope/outer/node_modules/inner/COPYING": "inner's licence",
  });
  const inputs = { "src/a.ts": {}, "node_modules/@scope/outer/lib/a.js": {}, "node_modules/@scope/outer/node_modules/inner/b.js": {} };
  const packages = bundledPackages([{ inputs }], root);
  assert.deepEqual(packages.map(({ name, version }) => `${name} ${version}`), ["@scope/outer 1.0.0", "inner 2.0.0"]);
  assert.match(notices(packages), /outer's licence\n\nouter's notice\n[^]*inner 2\.0\.0[^]*inner's licence/);
  rmSync(root, { recursive: true });
});

test("a package without a licence text is refused by its name and place", () => {
  for (const file of ["README.md", "LICENSE"]) {
    const root = installed({ "node_modules/bare/package.json": manifest("bare", "0.1.0"), [`node_modules/bare/${file}`]: file === "LICENSE" ? " \n" : "words" });
    const packages = bundledPackages([{ inputs: { "node_modules/bare/index.js": {} } }], root);
    assert.throws(() => notices(packages), /^Error: The package bare 0\.1\.0 \(.*node_modules\/bare\) has no licence text.*Take another/);
    rmSync(root, { recursive: true });
  }
});
