/**
 * The demo as the page runs it, in Node on whatever adapter Dawn finds: the shipped recipe over seeds, answers by base and tuned, time;
 * then the same with shuffled answers, which must not be learnt. Prints a table and one line of JSON.
 *
 *   node --import ./bin/loader.mjs bench/demo/run.ts [--seeds 1,2,3] [--no-control]
 */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { AppError, fromWire } from '#base/errors.ts';
import { Random } from '#base/random.ts';
import { nodeGpu } from '#engine/gpu/node-gpu.ts';
import type { AnswerReport, RunState, StepMetrics } from '#protocol/trainer.ts';
import { dataOptions, holdOutOptions } from '#recipe/recipe.ts';
import { DataSession } from '#run/data-session.ts';
import { Session } from '#run/session.ts';
import { demoFile, modelFiles, shippedRecipe } from './files.ts';

const HELD_OUT_LIMIT = 60;

interface Result {
  seed: number;
  isShuffled: boolean;
  seconds: number;
  /** Of this process, which a software adapter computes in; the steadier figure where other programs run beside. */
  processorSeconds: number;
  /** The machine's load average over the last minute, at the end. */
  load: number;
  steps: number;
  firstLoss: number;
  lastLoss: number;
  baseExact: number;
  tunedExact: number;
  total: number;
}

/** Rows with every answer given to another message: same texts, nothing to learn but their form. */
function shuffleAnswers(text: string, seed: number): string {
  const rows = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { message: string; ticket: string });
  const tickets = new Random(seed).shuffle(rows.map(({ ticket }) => ticket));
  return rows.map(({ message }, i) => JSON.stringify({ message, ticket: tickets[i] })).join('\n');
}

async function runOnce(seed: number, isShuffled: boolean): Promise<Result> {
  const recipe = await shippedRecipe({ seed });
  const steps: StepMetrics[] = [];
  const answers: AnswerReport[] = [];
  let finish: (state: RunState) => void = () => {};
  const finished = new Promise<RunState>((resolve) => (finish = resolve));
  const session = new Session(nodeGpu(), (event, data) => {
    if (event === 'metrics') steps.push(...(data as { steps: StepMetrics[] }).steps);
    if (event === 'answers') answers.push(data as AnswerReport);
    if (event === 'state' && ['done', 'failed'].includes((data as RunState).kind)) finish(data as RunState);
  });
  const data = new DataSession(() => {});
  const files = await modelFiles();
  await session.openModel({ name: 'demo', files });
  await data.openTokenizer({ name: 'demo', files });
  const train = await demoFile('train.jsonl');
  const rows = isShuffled ? { ...train, file: new Blob([shuffleAnswers(await train.file.text(), seed)]) } : train;
  await data.openDataset({ ...rows, heldOut: await demoFile('heldout.jsonl') });
  await data.prepare({ settings: { ...dataOptions(recipe), ...holdOutOptions(recipe), heldOut: 0, seed } });
  const heldOut = data.heldOut({ limit: HELD_OUT_LIMIT });
  const processorAt = process.cpuUsage();
  const startedAt = performance.now();
  await session.start({ recipe, rows: data.takeRows().train, validation: null, heldOut, dataName: 'demo' });
  const state = await finished;
  const seconds = (performance.now() - startedAt) / 1000;
  const processor = process.cpuUsage(processorAt);
  if (state.kind === 'failed') throw fromWire(state.error);
  const last = answers.at(-1);
  if (!last) throw new AppError('internal', 'the run ended without answers');
  for (const { base, tuned, expected } of last.answers.slice(0, 2)) console.error(JSON.stringify({ base, tuned, expected }));
  return {
    seed,
    isShuffled,
    seconds,
    processorSeconds: (processor.user + processor.system) / 1e6,
    load: loadavg()[0],
    steps: steps.length,
    firstLoss: steps[0].lossNats,
    lastLoss: steps.at(-1)?.lossNats ?? NaN,
    baseExact: last.baseExact,
    tunedExact: last.tunedExact,
    total: last.total,
  };
}

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '1,2,3' }, 'no-control': { type: 'boolean' } } });
const results: Result[] = [];
const show = (result: Result) => {
  results.push(result);
  const { seed, isShuffled, seconds, processorSeconds, load, steps, firstLoss, lastLoss, baseExact, tunedExact, total } = result;
  const what = isShuffled ? 'shuffled answers' : 'shipped recipe  ';
  console.error(
    `${what} seed ${seed}: ${steps} steps in ${seconds.toFixed(1)} s (processor ${processorSeconds.toFixed(1)} s, load ${load.toFixed(1)}), loss ${firstLoss.toFixed(3)} to ${lastLoss.toFixed(3)}, exact: base ${baseExact}, tuned ${tunedExact} of ${total}`,
  );
};
for (const seed of values.seeds.split(',').map(Number)) show(await runOnce(seed, false));
if (!values['no-control']) show(await runOnce(1, true));
console.log(JSON.stringify(results));
process.exit(0);
