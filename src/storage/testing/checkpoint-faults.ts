/** A run that keeps checkpoints on a store that fails, and what must hold afterwards. Knows no test runner: Node and a worker run it. */
import { AppError } from '#base/errors.ts';
import { type CheckpointFiles, CheckpointFolder } from '#storage/checkpoints.ts';
import type { FileStore } from '#storage/file-store.ts';
import { type Fault, FaultyStore, filesBelow, type Operation } from '#storage/testing/faulty-store.ts';

const FOLDER = 'runs/r';
export const STEPS = [10, 20, 30, 40, 50];
const LIMIT = 2;
const BEST = 10;
/** After the fault is gone. */
const NEXT_STEP = 60;

/** Other bytes for every step and file, and sizes that are no multiple of anything. */
export function filesOf(step: number): CheckpointFiles {
  const bytes = (length: number, salt: number) => Uint8Array.from({ length }, (_, i) => (i * 7 + step * salt + (i >> 5)) & 0xff);
  return {
    'adapter_config.json': new TextEncoder().encode(`{"r":16,"step":${step}}`),
    'adapter_model.safetensors': bytes(997 + step, 3),
    'optimizer.safetensors': bytes(2003 + step, 5),
    'trainer_state.json': new TextEncoder().encode(`{"global_step":${step}}`),
  };
}

/** What the run saw. */
interface Course {
  /** Steps whose write was answered, and the one that lay there before. */
  written: number[];
  /** The step whose write or tidying was under way when the store failed. */
  underWay: number | null;
  error: unknown;
}

async function takeCourse(
  store: FileStore,
  steps: readonly number[],
  before: number | null,
  isStruck: () => boolean = () => false,
): Promise<Course> {
  const course: Course = { written: before === null ? [] : [before], underWay: null, error: null };
  const checkpoints = new CheckpointFolder(store, FOLDER);
  for (const step of steps) {
    course.underWay = step;
    try {
      await checkpoints.write(step, filesOf(step));
      course.written.push(step);
      if (isStruck()) return course;
      await checkpoints.prune(LIMIT, [BEST]);
    } catch (error) {
      course.error = error;
      return course;
    }
  }
  course.underWay = null;
  return course;
}

/** The changes that the run asks of a store without a fault. `store` is empty before. */
export async function recordOperations(store: FileStore): Promise<Operation[]> {
  const recording = new FaultyStore(store);
  const { error } = await takeCourse(recording, STEPS, null);
  if (error !== null) throw error;
  return recording.operations;
}

const isEqual = (a: CheckpointFiles, b: CheckpointFiles): boolean => {
  const names = Object.keys(a).sort();
  if (names.join() !== Object.keys(b).sort().join()) return false;
  return names.every((name) => a[name].byteLength === b[name].byteLength && a[name].every((byte, i) => byte === b[name][i]));
};

export interface Struck {
  /** What the fault did; null when the run never came to it. */
  done: string | null;
  /** What does not hold. */
  problems: string[];
}

/**
 * Runs on `store` with the fault; then looks at what is left as the next process does, and goes on with the run there.
 * After a crash or a full disk the newest checkpoint that was answered, or the one under way, is whole with equal bytes and nothing counts
 * as damaged; a flipped byte is named by its file and the checkpoint before is whole; every failure has a code.
 * `before`: the step of the checkpoint that lies in the store already, below those of the run; null: it is empty.
 */
export async function strike(store: FileStore, fault: Fault, before: number | null = null): Promise<Struck> {
  const problems: string[] = [];
  const faulty = new FaultyStore(store, fault);
  const isFlip = fault.kind === 'flip';
  const course = await takeCourse(faulty, STEPS, before, () => isFlip && faulty.done !== null);
  if (course.error !== null && !(course.error instanceof AppError)) problems.push(`the run ended with ${describe(course.error)}`);
  if (fault.kind === 'full' && course.error instanceof AppError && course.error.code !== 'storage/quota') {
    problems.push(`a full disk was told as ${course.error.code}`);
  }
  const flipped = isFlip && faulty.done !== null ? faulty.operations[fault.operation].path : null;
  await checkLatest(store, course, flipped, problems);
  if (fault.kind === 'full' && course.underWay !== null) await checkNothingTorn(store, course, problems);

  const after = await takeCourse(store, [NEXT_STEP], null);
  if (after.error !== null) problems.push(`going on: ${describe(after.error)}`);
  await checkLatest(store, after, null, problems);
  const torn = (await filesBelow(store, FOLDER)).map((path) => path.split('/')[3]);
  const listed = (await new CheckpointFolder(store, FOLDER).list()).map(({ step }) => String(step));
  if (torn.some((step) => !listed.includes(step))) problems.push(`${torn.join()} lie there, ${listed.join()} are checkpoints`);
  return { done: faulty.done, problems: problems.map((problem) => `${JSON.stringify(fault)} (${faulty.done}): ${problem}`) };
}

async function checkLatest(store: FileStore, { written, underWay }: Course, flipped: string | null, problems: string[]): Promise<void> {
  const checkpoints = new CheckpointFolder(store, FOLDER);
  const latest = await checkpoints.latest().catch((error: unknown) => {
    problems.push(`latest() threw ${describe(error)}`);
    return null;
  });
  if (latest === null) return;
  const whole = flipped === null ? written : written.slice(0, -1);
  const allowed: (number | null)[] = [whole.at(-1) ?? null];
  if (flipped === null && underWay !== null) allowed.push(underWay);
  if (!allowed.includes(latest.step)) problems.push(`step ${latest.step} is the latest, ${allowed.join(' or ')} was expected`);
  if (latest.step !== null && !isEqual(latest.files, filesOf(latest.step))) problems.push(`step ${latest.step} has other bytes`);

  const named = latest.damaged.map(({ path, file }) => `${path}/${file}`);
  const expected = flipped === null ? [] : [flipped];
  if (named.join() !== expected.join()) problems.push(`[${named.join()}] is called damaged, [${expected.join()}] was expected`);
  if (flipped === null) return;
  const error: unknown = await checkpoints.read(written.at(-1) ?? 0).catch((reason: unknown) => reason);
  const file = error instanceof AppError && error.code === 'storage/damaged' ? error.details.file : undefined;
  if (typeof file !== 'string' || !file.endsWith(flipped)) problems.push(`reading it gives ${describe(error)}`);
}

/** A full disk is still there to be tidied: a write that failed leaves nothing. */
async function checkNothingTorn(store: FileStore, { written, underWay }: Course, problems: string[]): Promise<void> {
  if (underWay === null || written.includes(underWay)) return;
  const left = (await filesBelow(store, FOLDER)).filter((path) => path.split('/')[3] === String(underWay));
  if (left.length > 0) problems.push(`${left.join()} was left behind`);
}

function describe(error: unknown): string {
  if (error instanceof AppError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? `${error.name} without a code: ${error.message}` : JSON.stringify(error);
}
