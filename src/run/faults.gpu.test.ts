import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { drawRunFault, strikeRun, undisturbed } from '#run/testing/run-faults.ts';

const IS_LONG = process.env.LORATORY_LONG === '1';
const SEED = Number(process.env.LORATORY_SEED ?? 20_261_125);
/** A twentieth in `npm test` (a few on the slower adapter), all with `npm run test:long`. */
const FAULTS = IS_LONG ? 1000 : process.env.LORATORY_ADAPTER === 'swiftshader' ? 10 : 50;
const MOST_SECONDS_A_FAULT = 30;

// A closed device keeps its threads until its object is collected, and there are three devices a fault.
setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

async function collect(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

it(
  `loses nothing in ${FAULTS} faults in the middle of a run: torn writes, full disks, flipped bytes, lost devices, failed allocations`,
  async () => {
    const reference = await undisturbed();
    const random = new Random(SEED);
    const problems: string[] = [];
    const kinds: Record<string, number> = {};
    for (let i = 0; i < FAULTS; i++) {
      const fault = drawRunFault(random, i, reference);
      const kind = fault.kind === 'store' ? fault.fault.kind : fault.kind;
      kinds[kind] = (kinds[kind] ?? 0) + 1;
      problems.push(...(await strikeRun(fault, reference)));
      await collect();
    }
    console.log(`faults: ${JSON.stringify(kinds)}`);
    expect(problems).toEqual([]);
    expect(Object.keys(kinds)).toHaveLength(5);
  },
  FAULTS * MOST_SECONDS_A_FAULT * 1000,
);
