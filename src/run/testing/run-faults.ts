/** One fault in the middle of a kept run, and what must hold after it: nothing lost, every damaged file named. */
import { AppError } from '#base/errors.ts';
import type { Random } from '#base/random.ts';
import type { DamagedFile, RunSummary } from '#protocol/trainer.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { WatchedSession, tinyRun } from '#run/testing/watched-session.ts';
import { readWhole } from '#storage/file-store.ts';
import { type Fault, FaultyStore, type Operation, drawFault } from '#storage/testing/faulty-store.ts';
import { type MemoryStore, memoryStore } from '#storage/testing/memory-store.ts';

export const FAULT_RECIPE: Partial<Recipe> = { max_steps: 12, save_steps: 3, eval_steps: 5, save_total_limit: 3 };
const STEPS = 12;

export type RunFault = { kind: 'store'; fault: Fault } | { kind: 'lost'; afterEvents: number } | { kind: 'allocation'; scope: number };

/** Adapter and optimizer of the last checkpoint, and the changes of the store that an undisturbed run makes. */
export interface Undisturbed {
  expected: string;
  operations: readonly Operation[];
  events: number;
}

async function finalBytes(store: MemoryStore): Promise<string> {
  const runs = await store.list('runs');
  const folder = `runs/${runs.at(-1)?.name}/checkpoints/${STEPS}`;
  const parts = ['adapter_model.safetensors', 'optimizer.safetensors'].map(async (name) => readWhole(store, `${folder}/${name}`));
  return Buffer.concat(await Promise.all(parts)).toString('base64');
}

const eventCount = ({ heard }: WatchedSession) => Object.values(heard).reduce((sum, list) => sum + list.length, 0);

export async function undisturbed(): Promise<Undisturbed> {
  const store = memoryStore();
  const recording = new FaultyStore(store);
  const watched = await new WatchedSession(recording).open();
  await watched.session.start(tinyRun(FAULT_RECIPE));
  await watched.over();
  const events = eventCount(watched);
  await watched.session.close();
  return { expected: await finalBytes(store), operations: recording.operations, events };
}

/** The i-th fault of a course: storage faults mostly, since they are many; the same `random` draws the same. */
export function drawRunFault(random: Random, i: number, { operations, events }: Undisturbed): RunFault {
  if (i % 5 === 3) return { kind: 'lost', afterEvents: 1 + random.below(events - 2) };
  if (i % 5 === 4) return { kind: 'allocation', scope: random.below(2) };
  return { kind: 'store', fault: drawFault(random, operations) };
}

/** Trains under the fault, goes on after it as a user would, and tells what does not hold. */
export async function strikeRun(runFault: RunFault, { expected }: Undisturbed): Promise<string[]> {
  const problems: string[] = [];
  const check = (holds: boolean, what: string) => void (holds || problems.push(`${JSON.stringify(runFault)}: ${what}`));
  const store = memoryStore();
  const faulty = new FaultyStore(store, runFault.kind === 'store' ? runFault.fault : null);
  const watched = await new WatchedSession(faulty).open();
  const isPaused = () => watched.state.kind === 'paused';
  const isOver = () => watched.state.kind === 'done' || watched.state.kind === 'failed';
  if (runFault.kind === 'allocation') await failAllocation(watched, runFault.scope, check);
  await watched.session.start(tinyRun(FAULT_RECIPE));
  if (runFault.kind === 'lost') {
    await watched.until(() => isOver() || eventCount(watched) >= runFault.afterEvents);
    watched.lose();
  }
  await watched.until(() => isOver() || isPaused());
  // A device that is lost at the very end is lost after the run.
  check(watched.state.kind !== 'failed', `failed: ${JSON.stringify(watched.state)}`);
  const savedSteps = (watched.heard.saved ?? []).map(({ step }) => step);
  const isKept = (watched.heard.notSaved ?? []).every(({ step }) => step > 0);
  await watched.session.close();

  const again = await new WatchedSession(store).open();
  const { runs, damaged } = await again.session.runs();
  const named: DamagedFile[] = [...damaged];
  if (runs.length === 0) check(savedSteps.length === 0, 'the run is gone, and a checkpoint of it was saved');
  else await goOn(again, runs[0], { savedSteps, expected, named, check, store });
  checkNamed(runFault, faulty, named, await again.session.runs(), check);
  if (runs.length === 0 && isKept && faulty.done === null) check(false, 'a run that nothing disturbed is not kept');
  await again.session.close();
  return problems;
}

interface After {
  savedSteps: readonly number[];
  expected: string;
  named: DamagedFile[];
  check: (holds: boolean, what: string) => void;
  store: MemoryStore;
}

async function goOn(again: WatchedSession, run: RunSummary, { savedSteps, expected, named, check, store }: After): Promise<void> {
  const history = await again.session.history({ runId: run.id });
  if (history.damaged) named.push(history.damaged);
  const newest = Math.max(0, ...savedSteps);
  try {
    // One that is over goes on too, where its last checkpoint is damaged.
    const resumed = await again.session.resumeRun({ runId: run.id });
    named.push(...resumed.damaged);
    const isLost = resumed.fromStep < newest && resumed.damaged.length === 0;
    check(!isLost, `it goes on from step ${resumed.fromStep}, and step ${newest} was saved`);
    await again.until(() => again.state.kind === 'done' || again.state.kind === 'failed');
    check(again.state.kind === 'done', `it ends as ${JSON.stringify(again.state)}`);
    check((await finalBytes(store)) === expected, 'its last checkpoint has other bytes');
  } catch (error) {
    const isNamed = error instanceof AppError && error.code === 'storage/damaged';
    check(isNamed, `going on throws ${String(error)}`);
    if (isNamed) named.push({ path: String(error.details.file), found: '', expected: '' });
  }
}

/** The file whose byte was turned over is named, unless it was written anew or removed since. */
function checkNamed(
  runFault: RunFault,
  faulty: FaultyStore,
  named: readonly DamagedFile[],
  after: { damaged: DamagedFile[] },
  check: After['check'],
): void {
  const isFlip = runFault.kind === 'store' && runFault.fault.kind === 'flip' && faulty.done !== null;
  if (!isFlip || runFault.kind !== 'store' || runFault.fault.kind !== 'flip') {
    check(named.length === 0, `${JSON.stringify(named)} is called damaged`);
    return;
  }
  const { operation } = runFault.fault;
  const { path } = faulty.operations[operation];
  const later = faulty.operations.slice(operation + 1);
  const isGone = later.some((one) => (one.kind === 'write' && one.path === path) || (one.kind === 'remove' && path.startsWith(one.path)));
  const isNamed = [...named, ...after.damaged].some((one) => one.path === path);
  // The newest whole checkpoint is taken: an older one is not looked at.
  const isOlder = path.includes('/checkpoints/');
  check(isGone || isNamed || isOlder, `${path} is damaged and not named`);
  check(
    named.every((one) => one.path === path),
    `${JSON.stringify(named)} is called damaged, ${path} is`,
  );
}

async function failAllocation(watched: WatchedSession, scope: number, check: After['check']): Promise<void> {
  const device = watched.gpu.devices[0];
  const { liveBytes } = await watched.session.memory();
  const pop = device.popErrorScope.bind(device);
  let pops = 0;
  device.popErrorScope = async () => {
    const found = await pop();
    // Scopes are closed from the inside: validation, then memory.
    return pops++ === 1 + 2 * scope ? { message: 'no memory left' } : found;
  };
  const error: unknown = await watched.session.start(tinyRun(FAULT_RECIPE)).catch((caught: unknown) => caught);
  if (!(error instanceof AppError)) await watched.until(() => watched.state.kind === 'done' || watched.state.kind === 'failed');
  device.popErrorScope = pop;
  if (error instanceof AppError) {
    check(error.code === 'gpu/out-of-memory', `a failed allocation throws ${error.code}`);
    check((await watched.session.memory()).liveBytes === liveBytes, 'a failed allocation keeps memory');
    check((await watched.session.runs()).runs.length === 0, 'a run that was never begun is kept');
  } else {
    check(watched.state.kind === 'failed', 'a failed allocation goes unnoticed');
    for (const { id } of (await watched.session.runs()).runs) await watched.session.removeRun({ runId: id });
  }
}
