/** Builds a bench page apart from the product, serves it and opens it in an installed Chromium. Knows no bench. */
import { join } from 'node:path';
import { chromium } from '@playwright/test';
import { build } from 'vite';
import { findChromium } from '../scripts/chromium.mjs';
import { Plain, ROOT } from '../scripts/run.mjs';
import { createStaticServer, listen } from '../scripts/static-server.mjs';

// Of these, --enable-unsafe-webgpu lets the page reach the software adapter; the rest keep the browser from looking for hosts.
const FLAGS = [
  '--enable-unsafe-webgpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * A page of `folder` in a browser of its own; `close` ends both.
 * @param {string} folder holds index.html
 * @throws Plain when no Chromium is installed
 */
export async function openFolder(folder) {
  const server = createStaticServer(folder);
  const port = await listen(server, { host: '127.0.0.1', port: 0, tries: 1 });
  const found = findChromium();
  if (found === null) throw new Plain('No Chromium is installed. Install chromium or google-chrome, or set LORATORY_CHROMIUM to one.');
  const browser = await chromium.launch({ executablePath: found.executable, args: FLAGS });
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.error(error.message));
  await page.goto(`http://127.0.0.1:${port}/`);
  return {
    page,
    version: found.version,
    close: async () => {
      await browser.close();
      server.close();
      server.closeAllConnections();
    },
  };
}

/**
 * Builds bench/<name>/ into .cache/bench/<name>/ and returns that folder.
 * @param {string} name
 */
export async function buildBench(name) {
  const outDir = join(ROOT, '.cache', 'bench', name);
  await build({
    configFile: false,
    root: join(ROOT, 'bench', name),
    base: './',
    logLevel: 'warn',
    build: { outDir, emptyOutDir: true, target: 'es2023', chunkSizeWarningLimit: 4096 },
  });
  return outDir;
}
