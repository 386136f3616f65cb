import { describe, expect, test } from 'vitest';
import { AppError } from '#base/errors.ts';
import { Random } from '#base/random.ts';
import { DEFAULTS, type Recipe } from '#recipe/recipe.ts';
import { type FileStore, readWhole } from '#storage/file-store.ts';
import { type RunRows, readRunRows, writeRunRows } from '#storage/run-rows.ts';
import { RunStore, type StoredRun } from '#storage/runs.ts';
import { sealJson } from '#storage/sealed-json.ts';
import { type Fault, FaultyStore, drawFault, flipByte } from '#storage/testing/faulty-store.ts';
import { memoryStore } from '#storage/testing/memory-store.ts';

const recipe: Recipe = { ...DEFAULTS, model: 'demo', data_files: ['a.jsonl'], mapping: { kind: 'template', template: '{a}' } };
const runOf = (id: string, createdAt = '2026-11-25T01:00:00.000Z'): Omit<StoredRun, 'version' | 'updatedAt'> => ({
  id,
  name: `Run ${id}`,
  createdAt,
  state: 'running',
  step: 0,
  steps: 100,
  recipe,
  model: { name: 'demo', key: 'ab'.repeat(32) },
  data: { name: 'a.jsonl', rows: 2 },
  note: '',
});
const rows: RunRows = {
  train: { tokens: Uint32Array.of(1, 2, 70_000, 4, 5), lossMask: Uint8Array.of(0, 1, 1, 0, 1), offsets: Uint32Array.of(0, 3, 5) },
  validation: { tokens: Uint32Array.of(9, 8, 7), lossMask: Uint8Array.of(0, 0, 1), offsets: Uint32Array.of(0, 3), rowCount: 2 },
  heldOut: [{ row: 7, promptText: 'Grüße\n\ud800', prompt: Uint32Array.of(3, 4_000_000_000), expected: '{"a":"☃"}' }],
};

async function storeOf(...ids: string[]) {
  const store = memoryStore();
  const runs = new RunStore(store);
  for (const id of ids) await runs.create(runOf(id), rows);
  return { store, runs };
}

const tear = (store: ReturnType<typeof memoryStore>, path: string, length: number) =>
  store.files.set(path, (store.files.get(path) as Uint8Array).slice(0, length));

describe('the rows of a run', () => {
  test('come back as they were, validation or none', async () => {
    expect(await readRunRows('r', writeRunRows(rows))).toEqual(rows);
    const without: RunRows = { ...rows, validation: null, heldOut: [] };
    expect(await readRunRows('r', writeRunRows(without))).toEqual(without);
  });

  test('in another form are refused', async () => {
    const bytes = writeRunRows(rows);
    const other = new TextDecoder('latin1').decode(bytes).replace('loratory-rows-1', 'loratory-rows-9');
    const changed = Uint8Array.from(other, (character) => character.charCodeAt(0));
    // TextDecoder's latin1 is windows-1252, which differs in bytes that only the tensors have.
    changed.set(bytes.subarray(400), 400);
    await expect(readRunRows('r', changed)).rejects.toMatchObject({ code: 'format/unsupported', details: { found: 'loratory-rows-9' } });
  });
});

/** Bytes of a record of one digit with its seal and its line break. */
const LINE = 37;

describe('RunStore', () => {
  test('keeps a run with its rows, and changes it', async () => {
    const { runs } = await storeOf('a');
    expect(await runs.get('a')).toEqual({ ...runOf('a'), version: 1, updatedAt: runOf('a').createdAt });
    expect(await runs.rows('a')).toEqual(rows);
    const changed = await runs.update('a', { state: 'stopped', step: 40, note: 'ß' });
    expect(changed).toMatchObject({ id: 'a', state: 'stopped', step: 40, note: 'ß', name: 'Run a' });
    expect(Date.parse(changed.updatedAt)).toBeGreaterThan(Date.parse('2026-01-01'));
    expect(await runs.list()).toEqual({ runs: [changed], damaged: [] });
  });

  test('lists the newest first', async () => {
    const { runs } = await storeOf();
    for (const [id, hour] of Object.entries({ b: '02', c: '03', a: '01' }))
      await runs.create(runOf(id, `2026-11-25T${hour}:00:00.000Z`), rows);
    expect((await runs.list()).runs.map(({ id }) => id)).toEqual(['c', 'b', 'a']);
  });

  test('what is not there, is there already, or may not be called so', async () => {
    const { runs } = await storeOf('a');
    await expect(runs.get('b')).rejects.toMatchObject({ code: 'storage/not-found' });
    await expect(runs.update('b', { step: 1 })).rejects.toMatchObject({ code: 'storage/not-found' });
    await expect(runs.create(runOf('a'), rows)).rejects.toMatchObject({ code: 'storage/failed' });
    await expect(runs.get('../a')).rejects.toBeInstanceOf(AppError);
    await expect(runs.get('a/checkpoints')).rejects.toBeInstanceOf(AppError);
    expect(await runs.metrics('b')).toEqual({ records: [], damaged: null });
    await runs.remove('b');
  });

  test('refuses rows that do not fit', async () => {
    const runs = new RunStore(memoryStore({ capacityBytes: 100 }));
    await expect(runs.create(runOf('a'), rows)).rejects.toMatchObject({ code: 'storage/quota', details: { found: 100 } });
    expect(await runs.list()).toEqual({ runs: [], damaged: [] });
  });

  test('metrics, after a line that was torn too', async () => {
    const { store, runs } = await storeOf('a');
    await runs.appendMetrics('a', [{ step: 1 }, { step: 2 }]);
    await runs.appendMetrics('a', []);
    await runs.appendMetrics('a', [{ step: 3 }]);
    const path = 'runs/a/metrics.jsonl';
    const written = (await readWhole(store, path)).slice();
    for (let at = 2 * LINE; at < 3 * LINE - 1; at++) {
      await store.write(path, [written.subarray(0, at)]);
      expect(await runs.metrics('a')).toEqual({ records: [{ step: 1 }, { step: 2 }], damaged: null });
    }
    tear(store, path, 2 * LINE + 4);
    expect(await runs.metrics('a')).toEqual({ records: [{ step: 1 }, { step: 2 }], damaged: null });
    const next = new RunStore(store);
    await next.appendMetrics('a', [{ step: 4 }]);
    await next.appendMetrics('a', [{ step: 5 }]);
    expect(await next.metrics('a')).toEqual({ records: [{ step: 1 }, { step: 2 }, { step: 4 }, { step: 5 }], damaged: null });
  });

  test('names a line of metrics that was changed in any byte', async () => {
    const { store, runs } = await storeOf('a');
    await runs.appendMetrics('a', [{ step: 1 }, { step: 2 }, { step: 3 }]);
    const path = 'runs/a/metrics.jsonl';
    for (let at = LINE; at < 2 * LINE; at++) {
      for (const mask of [1, 16]) {
        await flipByte(store, path, at, mask);
        const { records, damaged } = await runs.metrics('a');
        expect(damaged?.path).toBe(path);
        expect(damaged?.found).toMatch(/^line [23], which was changed$/);
        expect(records).not.toContainEqual({ step: 2 });
        expect(records).toContainEqual({ step: 1 });
        await flipByte(store, path, at, mask);
      }
    }
  });

  test('checkpoints, size, removal', async () => {
    const { store, runs } = await storeOf('a', 'ab');
    const before = await runs.sizeBytes('a');
    const { sizeBytes } = await runs.checkpoints('a').write(3, { w: Uint8Array.of(1, 2, 3) });
    expect(await runs.sizeBytes('a')).toBe(before + sizeBytes);
    expect([...store.files.keys()]).toContain('runs/a/checkpoints/3/manifest.json');
    await runs.remove('a');
    expect(await runs.sizeBytes('a')).toBe(0);
    expect((await runs.list()).runs.map(({ id }) => id)).toEqual(['ab']);
  });

  test('one damaged copy is named and costs nothing; the next update mends it', async () => {
    for (const file of ['run.json', 'run.copy.json']) {
      const { store, runs } = await storeOf('a');
      await runs.update('a', { step: 7 });
      await flipByte(store, `runs/a/${file}`, 100, 1);
      expect(await runs.list()).toMatchObject({ runs: [{ id: 'a', step: 7 }], damaged: [{ path: `runs/a/${file}` }] });
      await runs.update('a', { step: 8 });
      expect(await runs.list()).toMatchObject({ runs: [{ step: 8 }], damaged: [] });
    }
  });

  test('of two whole copies the newer one holds: a crash came between them', async () => {
    const { store, runs } = await storeOf('a');
    const before = store.files.get('runs/a/run.json') as Uint8Array;
    await runs.update('a', { step: 7 });
    store.files.set('runs/a/run.json', before);
    expect(await runs.list()).toMatchObject({ runs: [{ step: 7 }], damaged: [] });
    expect(await runs.update('a', { note: 'on' })).toMatchObject({ step: 7, note: 'on' });
  });

  test('two damaged copies are both named, and the run is not taken for absent', async () => {
    const { store, runs } = await storeOf('a', 'b');
    for (const file of ['run.json', 'run.copy.json']) await flipByte(store, `runs/a/${file}`, 100, 1);
    expect(await runs.list()).toMatchObject({
      runs: [{ id: 'b' }],
      damaged: [{ path: 'runs/a/run.json' }, { path: 'runs/a/run.copy.json' }],
    });
    await expect(runs.update('a', { step: 1 })).rejects.toMatchObject({ code: 'storage/damaged', details: { file: 'runs/a/run.json' } });
    await expect(runs.create(runOf('a'), rows)).rejects.toMatchObject({ code: 'storage/failed' });
  });

  test('damaged rows are named', async () => {
    const { store, runs } = await storeOf('a');
    await flipByte(store, 'runs/a/rows.bin', 200, 8);
    await expect(runs.rows('a')).rejects.toMatchObject({ code: 'storage/damaged', details: { file: 'runs/a/rows.bin' } });
    tear(store, 'runs/a/rows.bin', 200);
    await expect(runs.rows('a')).rejects.toMatchObject({ code: 'storage/damaged', details: { found: '200 bytes' } });
  });

  test('a run of a later version is named, not changed and not deleted', async () => {
    const { store, runs } = await storeOf('a');
    const later = await sealJson({ version: 2, id: 'a', anything: true });
    store.files.set('runs/a/run.json', later);
    expect(await runs.list()).toMatchObject({
      runs: [],
      damaged: [{ path: 'runs/a/run.json', found: 'version 2', expected: 'version 1' }],
    });
    await expect(runs.update('a', { step: 1 })).rejects.toMatchObject({ code: 'format/unsupported' });
    await expect(runs.create(runOf('a'), rows)).rejects.toMatchObject({ code: 'storage/failed' });
    expect(store.files.get('runs/a/run.json')).toEqual(later);
  });
});

/** A run that is made, changed thrice and measured; how far it came. */
async function takeCourse(store: FileStore): Promise<{ isMade: boolean; step: number; measured: number; error: unknown }> {
  const runs = new RunStore(store);
  const course = { isMade: false, step: 0, measured: 0, error: null as unknown };
  try {
    await runs.create(runOf('a'), rows);
    course.isMade = true;
    for (const step of [10, 200, 3000]) {
      await runs.appendMetrics('a', [{ step }]);
      course.measured++;
      await runs.update('a', { step, note: 'n'.repeat(step % 7) });
      course.step = step;
    }
  } catch (error) {
    course.error = error;
  }
  return course;
}

describe('a run on a store that fails', () => {
  const NEXT: Record<number, number> = { 0: 10, 10: 200, 200: 3000, 3000: 3000 };

  /** What does not hold after the fault, and when the next process went on. */
  async function strike(fault: Fault): Promise<string[]> {
    const problems: string[] = [];
    const check = (holds: boolean, what: string) => void (holds || problems.push(`${JSON.stringify(fault)} (${faulty.done}): ${what}`));
    const store = memoryStore();
    const faulty = new FaultyStore(store, fault);
    const course = await takeCourse(faulty);
    check(course.error === null || course.error instanceof AppError, 'an error without a code');
    const runs = new RunStore(store);
    const { runs: listed, damaged } = await runs.list();
    const steps = listed.map(({ step }) => step);
    check(!course.isMade || steps.length === 1, 'the run is gone');
    check(
      steps.every((step) => step === course.step || step === NEXT[course.step]),
      `step ${steps.join()} after ${course.step}`,
    );

    const flipped = fault.kind === 'flip' && faulty.done !== null ? faulty.operations[fault.operation].path : null;
    const { records, damaged: damagedLines } = await runs.metrics('a');
    const measured = records.length;
    // A line break that is turned over takes two lines with it.
    check(measured >= course.measured - (flipped?.endsWith('.jsonl') ? 2 : 0), `${measured} of ${course.measured} lines of metrics`);
    check((damagedLines !== null) === (flipped?.endsWith('.jsonl') === true), `${JSON.stringify(damagedLines)} of the lines`);
    if (listed.length > 0) {
      const found: unknown = await runs.rows('a').catch((error: unknown) => error);
      const damagedFile = found instanceof AppError && found.code === 'storage/damaged' ? found.details.file : null;
      check(damagedFile === (flipped?.endsWith('rows.bin') ? flipped : null), `its rows give ${String(damagedFile)}`);
      if (damagedFile === null) expect(found).toEqual(rows);
    }
    // What was spoilt in an earlier revision has been written anew since.
    const last = faulty.operations.findLastIndex(({ path }) => path === flipped);
    const isTold = flipped?.endsWith('.json') === true && fault.kind === 'flip' && last === fault.operation;
    const named = damaged.map(({ path }) => path).join();
    check(named === (isTold ? flipped : ''), `[${named}] is called damaged`);

    if (listed.length > 0) await runs.update('a', { step: 5000 });
    else await runs.create(runOf('a'), rows);
    await runs.appendMetrics('a', [{ step: 5000 }]);
    expect((await runs.metrics('a')).records.at(-1)).toEqual({ step: 5000 });
    expect(await runs.list()).toMatchObject({ runs: [{ id: 'a' }], damaged: [] });
    return problems;
  }

  test('is never lost, and never takes a crash for damage', async () => {
    const recording = new FaultyStore(memoryStore());
    expect((await takeCourse(recording)).error).toBeNull();
    const { operations } = recording;
    const crashes = operations.flatMap(({ sizeBytes }, operation): Fault[] =>
      Array.from({ length: 6 }, (_, i) => ({ kind: 'crash', operation, atByte: Math.ceil((sizeBytes * i) / 5) })),
    );
    const last = operations.length - 1;
    // The seal's own bytes, and a few of those before it.
    const { sizeBytes } = operations[last];
    const places = Array.from({ length: sizeBytes + 1 }, (_, i) => i).filter((at) => at > sizeBytes - 90 || at % 8 === 0);
    const torn = places.map((atByte): Fault => ({ kind: 'crash', operation: last, atByte }));
    const flipped = places.slice(0, -1).map((atByte): Fault => ({ kind: 'flip', operation: last, atByte, mask: 1 << (atByte % 7) }));
    const random = new Random(11);
    const drawn = Array.from({ length: 150 }, () => drawFault(random, operations));
    const faults = [...crashes, ...torn, ...flipped, ...drawn];
    expect(faults.length).toBeGreaterThan(500);
    const problems: string[] = [];
    for (const fault of faults) problems.push(...(await strike(fault)));
    expect(problems).toEqual([]);
  });
});
