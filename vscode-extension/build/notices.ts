// The licences of what travels in the package: the npm packages that the bundles hold, as the bundler says, and the
// data in the wheel that was made from other projects.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const licence = /^(?:licen[cs]e|copying|unlicense)\b/i;
const more = /^(?:notice|third-?party-?notices?)\b/i;

const head = `Third-party software in this package

The code of StepBridge is under the Apache License 2.0 (LICENSE). The bundles in out/ hold code of the packages below.
The wheel holds no code of others; its tables of the SageMaker service and of the SageMaker Python SDK are made from
botocore and sagemaker (Copyright Amazon.com, Inc. or its affiliates), both under the Apache License 2.0 (LICENSE).
`;

export interface Package {
  readonly name: string;
  readonly version: string;
  readonly folder: string;
}

/** The packages whose files went into the bundles, by name; `root` is the folder that the bundler ran in. */
export function bundledPackages(metafiles: readonly { readonly inputs: Readonly<Record<string, unknown>> }[], root: string): Package[] {
  const found = new Map<string, Package>();
  for (const input of metafiles.flatMap(({ inputs }) => Object.keys(inputs))) {
    const folder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0];
    if (folder === undefined) continue;
    const { name, version } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as Package;
    found.set(`${name} ${version}`, { name, version, folder: join(root, folder) });
  }
  return [...found.values()].sort((a, b) => a.name.localeCompare(b.name) || a.version.localeCompare(b.version));
}

/** The text of all notices; throws where a package has no licence text. */
export function notices(packages: readonly Package[]): string {
  const line = "-".repeat(80);
  return [head, ...packages.map((one) => `${line}\n${one.name} ${one.version}\n${line}\n\n${texts(one).join("\n\n")}\n`)].join("\n");
}

function texts({ name, version, folder }: Package): string[] {
  const files = readdirSync(folder).sort();
  const read = (pattern: RegExp): string[] => files.filter((file) => pattern.test(file)).map((file) => readFileSync(join(folder, file), "utf8").trim()).filter(Boolean);
  const licences = read(licence);
  if (licences.length === 0) {
    throw new Error(`The package ${name} ${version} (${folder}) has no licence text, so it cannot be bundled. Take another package or version, or ask its authors for a LICENSE file.`);
  }
  return [...licences, ...read(more)];
}
