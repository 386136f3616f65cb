import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { describeModel } from '#engine/models/model.ts';
import { fixedAdapter } from '#run/records/fixed-adapter.ts';
import { DEFAULT_LIMITS, RECORD_CASES, openRecordCase, readAdapterRecords } from '#run/records/record-cases.ts';

const records = readAdapterRecords();
const sha256 = (content: string | Uint8Array) => createHash('sha256').update(content).digest('hex');

if (!process.env.LORATORY_SMOLLM2) console.warn('LORATORY_SMOLLM2 is not set: its adapter is not compared with what PEFT was shown');

test('the real checkpoint is there in CI', () => {
  expect({ ci: process.env.CI === 'true', path: process.env.LORATORY_SMOLLM2 ?? '' }).not.toEqual({ ci: true, path: '' });
});

test('every case was shown to PEFT, and nothing else is recorded', () => {
  expect(Object.keys(records).sort()).toEqual(RECORD_CASES.map(({ name }) => name).sort());
});

describe.each(RECORD_CASES)('the adapter that PEFT was shown: $name', (found) => {
  const { base } = found;
  const record = records[found.name];

  // A failure here means: show PEFT the new files with reference/adapters/make.ts and reference/check_adapter.py --record.
  it.skipIf(base === null)('is the one that is written now, for the same base model', { timeout: 120_000 }, async () => {
    const { checkpoint, tokens } = await openRecordCase({ ...found, base: base as string });
    const { files } = fixedAdapter(describeModel(checkpoint, DEFAULT_LIMITS), found.r, found.name);
    expect(Object.fromEntries(Object.entries(files).map(([name, content]) => [name, sha256(content as string | Uint8Array)]))).toEqual(
      record.adapter,
    );
    expect([...tokens]).toEqual(record.tokens);
    const folder = (await stat(base as string)).isDirectory() ? (base as string) : dirname(base as string);
    for (const [name, hash] of Object.entries(record.base))
      expect([name, sha256(await readFile(join(folder, name)))]).toEqual([name, hash]);
  });
});
