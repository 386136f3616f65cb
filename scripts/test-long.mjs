/** `npm run test:long`: the kills and the faults in full, of which `npm test` runs a twentieth; `-- long:faults` runs that part. */
import { checkNode } from './preflight.mjs';

checkNode();
// Loaded only now: an older Node may not know what these import.
const { testTiers } = await import('./test-tiers.mjs');
const { LONG_TIERS } = await import('./tiers.mjs');
const { runMain } = await import('./run.mjs');
await runMain(() => testTiers(process.argv.slice(2), LONG_TIERS));
