#!/usr/bin/env node
/** The command `loratory`: registers the loader, then hands over to src/cli/main.ts. */
import { existsSync } from 'node:fs';
import { checkNode } from '../scripts/preflight.mjs';

checkNode();
if (!existsSync(new URL('../node_modules/tsx/package.json', import.meta.url))) {
  console.error('The packages are not installed. Run `npm ci` in the folder of Loratory first.');
  process.exit(1);
}
await import('./loader.mjs');
await import('../src/cli/main.ts');
