import { describe, expect, it } from 'vitest';
import { clipReference } from '#engine/ops/gradient-norm/gradient-norm.ref.ts';

describe('gradient-norm reference', () => {
  it('clips as clip_grad_norm_ does: by maxNorm / (norm + 1e-6), never up', () => {
    expect(clipReference([3, 0, -4], 1)).toEqual({ norm: 5, factor: 1 / (5 + 1e-6), finite: true });
    expect(clipReference([3, 0, -4], 5)).toEqual({ norm: 5, factor: 5 / (5 + 1e-6), finite: true });
    expect(clipReference([3, 0, -4], 6)).toEqual({ norm: 5, factor: 1, finite: true });
  });

  it('does not clip where maxNorm is 0', () => {
    expect(clipReference([3, 0, -4], 0)).toEqual({ norm: 5, factor: 1, finite: true });
  });

  it('finds a gradient that is not finite', () => {
    expect(clipReference([3, NaN], 1)).toEqual({ norm: Infinity, factor: 0, finite: false });
  });
});
