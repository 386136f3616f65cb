import { describe, it } from 'vitest';
import { Random } from '#base/random.ts';
import { gatherRowsReference } from '#engine/ops/gather-rows/gather-rows.ref.ts';
import { gatherRows } from '#engine/ops/gather-rows/gather-rows.ts';
import { assertClose, randomValues } from '#engine/ops/testing/compare.ts';
import { runOp } from '#engine/ops/testing/run-op.ts';
import { testGpu } from '#engine/ops/testing/test-gpu.ts';

const cases = [
  { name: 'control', tokens: 32, width: 64, count: 8 },
  { name: 'one row', tokens: 1, width: 64, count: 1 },
  { name: 'primes', tokens: 5, width: 124, count: 7 },
  { name: 'small bindings', tokens: 150, width: 256, count: 90, maxBindingBytes: 65536 },
];

describe('gatherRows', () => {
  for (const { name, tokens, width, count, maxBindingBytes } of cases) {
    it(`equals its reference: ${name}`, async () => {
      const gpu = await testGpu(maxBindingBytes ? { maxBindingBytes } : {});
      const random = new Random(2);
      const x = randomValues(tokens * width, 1);
      const rows = Uint32Array.from({ length: count + 3 }, () => random.below(tokens));
      rows.set([tokens - 1, 0, tokens, 0xffffffff].slice(0, count));
      const result = await runOp(gpu, {
        inputs: { x: { shape: [tokens, width], data: x }, rows: { shape: [count + 3], data: rows } },
        build: (r, t) => ({ out: gatherRows(r, t['x'], t['rows'], count) }),
      });
      assertClose('out', result.outputs['out'], gatherRowsReference(x, rows.subarray(0, count), width), 0);
    });
  }
});
