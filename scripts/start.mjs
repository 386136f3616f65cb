/** `npm start`: installs what is missing, builds what is old, serves the page and prints its address. */
import { checkNode } from './preflight.mjs';

checkNode();
// Loaded only now: an older Node may not know what these import.
const { start } = await import('./serve.mjs');
const { runMain } = await import('./run.mjs');
await runMain(() => start(process.argv.slice(2)));
