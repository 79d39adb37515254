// Makes the VSIX: the wheel of this repository, the bundles, and a README whose pictures travel with it.
//   npm run package [-- --out FILE]      PYTHON names an interpreter that has `build` and `hatchling`

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { createVSIX } from "@vscode/vsce";

const here = dirname(fileURLToPath(import.meta.url));
const repository = resolve(here, "..");
const { version } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
const wanted = process.argv.indexOf("--out");
const target = wanted > 0 ? resolve(process.argv[wanted + 1]) : join(here, `stepbridge-${version}.vsix`);

function buildWheel() {
  const own = join(repository, ".venv/bin/python");
  const python = process.env.PYTHON ?? (existsSync(own) ? own : "python3");
  rmSync(join(here, "wheel"), { recursive: true, force: true });
  execFileSync(python, ["-m", "build", "--wheel", "--no-isolation", "--outdir", join(here, "wheel"), repository], {
    stdio: ["ignore", "ignore", "inherit"],
  });
}

/** The extension's page in VS Code shows pictures from https and data URLs only. */
function readme() {
  const text = readFileSync(join(here, "README.md"), "utf8");
  return text
    .replace(/\]\(([^):]+\.png)\)/g, (_, path) => `](data:image/png;base64,${readFileSync(join(here, path)).toString("base64")})`)
    .replace(/(?<!!)\[([^\]]+)\]\((?!https:|#|data:)[^)]+\)/g, "$1"); // links to files that are not in the package
}

buildWheel();
execFileSync(process.execPath, ["esbuild.mjs", "--production"], { cwd: here, stdio: "inherit" });
copyFileSync(join(repository, "LICENSE"), join(here, "LICENSE"));
mkdirSync(join(here, "out"), { recursive: true });
writeFileSync(join(here, "out/README.md"), readme());
await createVSIX({
  cwd: here, packagePath: target, readmePath: "out/README.md",
  dependencies: false, allowMissingRepository: true, rewriteRelativeLinks: false, skipLicense: false,
});
