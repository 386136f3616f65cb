/**
 * What checkpoints cost the demo at the default interval: the run with them against the run without, in turn, on whatever adapter Dawn finds.
 * Prints a table and one line of JSON.
 *
 *   node --import ./bin/loader.mjs bench/checkpoint/run.ts [--rounds 2]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { AppError, fromWire } from '#base/errors.ts';
import { nodeGpu } from '#engine/gpu/node-gpu.ts';
import type { RunState, TrainerEvents } from '#protocol/trainer.ts';
import { dataOptions, holdOutOptions } from '#recipe/recipe.ts';
import { DataSession } from '#run/data-session.ts';
import { Session } from '#run/session.ts';
import { StoredArchive } from '#run/stored-archive.ts';
import { nodeStore } from '#storage/node-store.ts';
import { demoFile, modelFiles, shippedRecipe } from '../demo/files.ts';

/** What a checkpoint may cost, as a share of the run's time. */
const BOUND = 0.05;

interface Timed {
  /** Of the steps alone: answers and compilation come before and after. */
  seconds: number;
  checkpoints: number;
  /** From the first byte read back until the checkpoint was whole; most of it goes on beside the training. */
  savingSeconds: number;
  sizeBytes: number;
}

async function train(isSaving: boolean): Promise<Timed> {
  const folder = await mkdtemp(join(tmpdir(), 'loratory-bench-'));
  const saved: TrainerEvents['saved'][] = [];
  let firstStep = 0;
  let lastStep = 0;
  let finish: (state: RunState) => void = () => {};
  const finished = new Promise<RunState>((resolve) => (finish = resolve));
  const session = new Session(
    nodeGpu(),
    (event, data) => {
      if (event === 'saved') saved.push(data as TrainerEvents['saved']);
      if (event !== 'state') return;
      const state = data as RunState;
      if (state.kind === 'training' && state.step === 0) firstStep = performance.now();
      if (state.kind === 'done' || state.kind === 'failed') {
        lastStep = performance.now();
        finish(state);
      }
    },
    new StoredArchive(nodeStore(folder), () => Promise.reject(new AppError('internal', 'no file is asked for'))),
  );
  try {
    const recipe = await shippedRecipe({ save_strategy: isSaving ? 'steps' : 'no', eval_strategy: 'no' });
    const data = new DataSession(() => {});
    const files = await modelFiles();
    await session.openModel({ name: 'demo', files });
    await data.openTokenizer({ name: 'demo', files });
    await data.openDataset({ ...(await demoFile('train.jsonl')), heldOut: await demoFile('heldout.jsonl') });
    await data.prepare({ settings: { ...dataOptions(recipe), ...holdOutOptions(recipe), heldOut: 0, seed: recipe.seed } });
    await session.start({ recipe, rows: data.takeRows().train, validation: null, heldOut: [], dataName: 'demo' });
    const state = await finished;
    if (state.kind === 'failed') throw fromWire(state.error);
    return {
      seconds: (lastStep - firstStep) / 1000,
      checkpoints: saved.length,
      savingSeconds: saved.reduce((sum, { ms }) => sum + ms, 0) / 1000,
      sizeBytes: saved.at(-1)?.sizeBytes ?? 0,
    };
  } finally {
    await session.close();
    await rm(folder, { recursive: true, force: true });
  }
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '2' } } });
const rounds: { without: Timed; with: Timed }[] = [];
await train(false); // kernels are compiled
for (let i = 0; i < Number(values.rounds); i++) {
  rounds.push({ without: await train(false), with: await train(true) });
  const { without, with: saving } = rounds[i];
  const share = saving.savingSeconds / saving.seconds;
  console.error(
    `without ${without.seconds.toFixed(1)} s, with ${saving.seconds.toFixed(1)} s (${(saving.seconds / without.seconds).toFixed(3)} times): ` +
      `${saving.checkpoints} checkpoints of ${(saving.sizeBytes / 2 ** 20).toFixed(2)} MiB took ${saving.savingSeconds.toFixed(2)} s, ${(100 * share).toFixed(2)} % of the run`,
  );
}
const share = Math.max(...rounds.map(({ with: { savingSeconds, seconds } }) => savingSeconds / seconds));
console.log(JSON.stringify({ rounds, largestShare: share, bound: BOUND, isWithin: share <= BOUND }));
process.exit(share <= BOUND ? 0 : 1);
