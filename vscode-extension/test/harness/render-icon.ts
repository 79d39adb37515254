// Draws media/icon.png from media/icon.svg (the Marketplace takes no SVG). Run after a change of the drawing.

import { chromium } from "playwright-core";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { extensionFolder, toolchain } from "./server.ts";

const size = 128;
const browser = await chromium.launch({ executablePath: toolchain().chromium, args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: size, height: size } });
const drawing = readFileSync(join(extensionFolder, "media/icon.svg"), "utf8").replace("<svg ", `<svg width="${String(size)}" height="${String(size)}" style="display:block" `);
await page.setContent(`<body style="margin:0;background:transparent">${drawing}</body>`);
await page.screenshot({ path: join(extensionFolder, "media/icon.png"), omitBackground: true });
await browser.close();
