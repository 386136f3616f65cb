import { describe, it } from 'vitest';
import { Random } from '#base/random.ts';
import { cacheWriteReference } from '#engine/ops/cache-write/cache-write.ref.ts';
import { cacheWrite } from '#engine/ops/cache-write/cache-write.ts';
import { assertClose, randomValues } from '#engine/ops/testing/compare.ts';
import { runOp } from '#engine/ops/testing/run-op.ts';
import { testGpu } from '#engine/ops/testing/test-gpu.ts';

const cases = [
  { name: 'control', tokens: 8, width: 64, cacheRows: 32 },
  { name: 'one row', tokens: 1, width: 64, cacheRows: 32 },
  { name: 'primes', tokens: 5, width: 124, cacheRows: 7 },
  { name: 'small bindings', tokens: 90, width: 256, cacheRows: 150, maxBindingBytes: 65536 },
];

describe('cacheWrite', () => {
  for (const { name, tokens, width, cacheRows, maxBindingBytes } of cases) {
    it(`equals its reference: ${name}`, async () => {
      const gpu = await testGpu(maxBindingBytes ? { maxBindingBytes } : {});
      const x = randomValues(tokens * width, 1);
      const before = randomValues(cacheRows * width, 2);
      const places = new Random(3).shuffle(Array.from({ length: cacheRows }, (_, i) => i));
      const rows = Uint32Array.from({ length: tokens + 3 }, (_, i) => places[i] ?? 0xffffffff);
      if (tokens > 2) rows.set([0xffffffff, cacheRows], 1);
      const result = await runOp(gpu, {
        inputs: {
          x: { shape: [tokens, width], data: x },
          rows: { shape: [tokens + 3], data: rows },
          cache: { shape: [cacheRows, width], data: before },
        },
        build: (r, t) => {
          cacheWrite(r, t['x'], t['rows'], t['cache']);
          return { cache: t['cache'] };
        },
      });
      assertClose('cache', result.outputs['cache'], cacheWriteReference(x, rows.subarray(0, tokens), before, width), 0);
    });
  }
});
