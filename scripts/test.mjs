/** `npm test`: installs what is missing and runs everything; `npm test -- unit gpu` runs those tiers. */
import { checkNode } from './preflight.mjs';

checkNode();
// Loaded only now: an older Node may not know what these import.
const { testTiers } = await import('./test-tiers.mjs');
const { runMain } = await import('./run.mjs');
await runMain(() => testTiers(process.argv.slice(2)));
