/**
 * `npm run bench:step -- [--rounds N] [--warm-up N] [--json]`: one LoRA step, ours against TensorFlow.js, in one page of one Chromium.
 */
import { parseArgs } from 'node:util';
import { buildBench, openFolder } from '../browser.mjs';
import { runMain } from '../../scripts/run.mjs';

await runMain(async () => {
  const { values: args } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      'warm-up': { type: 'string', default: '2' },
      json: { type: 'boolean', default: false },
    },
  });
  const { page, version, close } = await openFolder(await buildBench('step'));
  try {
    page.on('console', (message) => console.error(message.text()));
    const options = { rounds: Number(args.rounds), warmUp: Number(args['warm-up']) };
    const { table, ...result } = await page.evaluate((given) => globalThis.runStepBench(given), options);
    const { description, vendor, architecture, isSoftware } = result.adapter;
    const name = description || `${vendor} ${architecture}`;
    if (args.json) console.log(JSON.stringify({ chromium: version, ...result }, null, 2));
    else console.log(`\n${name}${isSoftware ? ' (computes on the CPU)' : ''}, Chromium ${version}\n\n${table}`);
  } finally {
    await close();
  }
});
