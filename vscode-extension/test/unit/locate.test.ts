import assert from "node:assert/strict";
import { test } from "node:test";
import { candidates, compareVersions, locate, parseVersion, type Places, type Probe } from "../../src/common/locate.ts";

const places: Places = {
  setting: "",
  environments: ["/work/project/.venv"],
  path: "/usr/bin:/work/project/tools:relative",
  privateEnvironment: "/storage/environment-1",
  workspaceFolders: ["/work/project"],
  trusted: true,
};

function probe(versions: Readonly<Record<string, string>>): Probe {
  return {
    exists: (command) => Promise.resolve(command in versions),
    version: (command) => {
      const version = versions[command];
      return version ? Promise.resolve(`stepbridge, version ${version}\n`) : Promise.reject(new Error("broken"));
    },
  };
}

test("environments come before PATH, and the private environment last", () => {
  assert.deepEqual(candidates(places).map(({ command }) => command), [
    "/work/project/.venv/bin/stepbridge",
    "/usr/bin/stepbridge",
    "/work/project/tools/stepbridge",
    "/storage/environment-1/bin/stepbridge",
  ]);
});

test("a setting is the only candidate", () => {
  assert.deepEqual(candidates({ ...places, setting: "/opt/sb" }), [{ command: "/opt/sb", origin: "setting" }]);
});

test("nothing inside of an untrusted workspace is a candidate", () => {
  const found = candidates({ ...places, trusted: false }).map(({ command }) => command);
  assert.deepEqual(found, ["/usr/bin/stepbridge", "/storage/environment-1/bin/stepbridge"]);
});

test("the first that runs is taken", async () => {
  const { tool } = await locate(places, probe({ "/usr/bin/stepbridge": "0.2.0", "/storage/environment-1/bin/stepbridge": "0.3.0" }), "0.1.0");
  assert.deepEqual(tool, { command: "/usr/bin/stepbridge", origin: "path", version: "0.2.0" });
});

test("one that is too old or broken is passed over, and the log says so", async () => {
  const found = await locate(places, probe({
    "/work/project/.venv/bin/stepbridge": "0.0.9",
    "/usr/bin/stepbridge": "",
    "/storage/environment-1/bin/stepbridge": "0.1.0",
  }), "0.1.0");
  assert.equal(found.tool?.origin, "private");
  assert.deepEqual(found.refused, [
    "/work/project/.venv/bin/stepbridge is 0.0.9; 0.1.0 or newer is needed.",
    "/usr/bin/stepbridge does not run: broken",
  ]);
});

test("a setting that names nothing is said, not skipped", async () => {
  const found = await locate({ ...places, setting: "/gone" }, probe({ "/usr/bin/stepbridge": "0.2.0" }), "0.1.0");
  assert.equal(found.tool, undefined);
  assert.deepEqual(found.refused, ["/gone (setting stepbridge.path) does not exist."]);
});

test("versions", () => {
  assert.equal(parseVersion("stepbridge, version 1.20.3"), "1.20.3");
  assert.equal(parseVersion("Python 3.11.7"), "3.11.7");
  assert.equal(parseVersion("hello"), undefined);
  assert.ok(compareVersions("0.10.0", "0.9.9") > 0);
  assert.ok(compareVersions("3.9", "3.11") < 0);
  assert.equal(compareVersions("1.2", "1.2.0"), 0);
});
