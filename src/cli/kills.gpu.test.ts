import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { checkpointName } from '#cli/resume.ts';
import { MODEL, SETTINGS, expectSameEnd, run, workFolder, writeRows } from '#cli/testing/checkpoint-runs.ts';
import { killLoratory } from '#cli/testing/run-loratory.ts';
import { CheckpointFolder } from '#storage/checkpoints.ts';
import { nodeStore } from '#storage/node-store.ts';

/** A twentieth in `npm test` (a few on the slower adapter), all with `npm run test:long`. */
const KILLS = process.env.LORATORY_LONG === '1' ? 200 : process.env.LORATORY_ADAPTER === 'swiftshader' ? 3 : 10;
const SEED = Number(process.env.LORATORY_SEED ?? 20_261_125);
const STEPS = 160;

const at = workFolder('kills');
const RUN = [
  'finetune',
  '-m',
  MODEL,
  '--data_files',
  writeRows(at('rows.json')),
  ...SETTINGS,
  '--max_steps',
  String(STEPS),
  '--save_steps',
  '10',
];
const newestWhole = async (out: string) => (await new CheckpointFolder(nodeStore(out), '', checkpointName).latest()).step;
/** From which checkpoint each killed run had begun, and which it left. */
const moments: string[] = [];
let trainingMs = 0;

beforeAll(async () => {
  await run([...RUN, '-o', at('warm')], 0); // kernels are compiled and kept
  ({ trainingMs } = await killLoratory([...RUN, '-o', at('whole')], Infinity));
}, 300_000);
afterAll(() => console.log(`${moments.length} kills, from checkpoint to checkpoint: ${moments.join(', ')}`));

it(
  `loses nothing to SIGKILL at ${KILLS} random moments`,
  async () => {
    const random = new Random(SEED);
    for (let kills = 0, course = 0; kills < KILLS; course++) {
      const out = at(`course-${course}`);
      mkdirSync(out);
      for (;;) {
        const step = await newestWhole(out);
        const args = [...RUN, ...(step === null ? [] : ['--resume_from_checkpoint', 'true']), '-o', out];
        if (kills === KILLS) {
          await run(args, 0);
          break;
        }
        // Some do not come in time: then the course is over.
        const finished = await killLoratory(args, random.below(Math.round(trainingMs)));
        if (finished.signal !== 'SIGKILL') {
          expect([finished.code, finished.code === 0 ? '' : finished.stderr]).toEqual([0, '']);
          break;
        }
        kills++;
        moments.push(`${step ?? 0} to ${(await newestWhole(out)) ?? 0}`);
      }
      expectSameEnd(out, at('whole'), STEPS, { states: false });
    }
  },
  KILLS * 30_000 + 60_000,
);
