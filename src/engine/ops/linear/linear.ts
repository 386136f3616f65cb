/** A linear over a frozen weight, with an optional bias and LoRA branch fused in: y = x W^T + bias + s (dropout(x) A^T) B^T. */
import { invariant } from '#base/errors.ts';
import type { Gradient, Recorder } from '#engine/graph/recorder.ts';
import { addInto } from '#engine/graph/sum.ts';
import { type Tensor, rowsOf, shapeText } from '#engine/graph/tensor.ts';
import { type Dropout, recordProduct } from '#engine/ops/matmul/matmul.ts';
import { type WeightMatrix, weightBindings } from '#engine/ops/weights/weight-matrix.ts';

/** LoRA's pair. The rank is padded to a multiple of 4 with zeros, whose gradients are exactly zero. */
export interface LoraPair {
  /** `lora_A` [rank, in]. */
  a: Tensor;
  /** `lora_B` [out, rank]. */
  b: Tensor;
  /** alpha / r (or alpha / sqrt r): multiplies the branch. */
  scale: number;
  dropout: Dropout | null;
  /** The batch header, for dropout and micro-batches. */
  header: Tensor;
}

/**
 * y [tokens, out] = x [tokens, in] W^T + bias + scale (dropout(x) A^T) B^T, all f32; W [out, in] of any weight type, bias [out] frozen.
 * dx = dy W + scale ((dy B) A) * mask; dA = scale (dy B)^T dropout(x); dB = scale dy^T (dropout(x) A^T). W has no gradient.
 * @source https://arxiv.org/abs/2106.09685; PEFT's lora.Linear
 */
export function linear(r: Recorder, x: Tensor, weight: WeightMatrix, lora: LoraPair | null = null, bias: Tensor | null = null): Tensor {
  const [tokens = 0, width = 0] = x.shape;
  invariant(width === weight.columns, `${weight.name}: input ${shapeText(x.shape)} does not end in ${weight.columns}`);
  const y = r.tensor('y', [tokens, Math.ceil(weight.rows / 4) * 4]);
  const low = lora ? loraDown(r, x, lora) : null;
  forward(r, x, weight, y, low && lora ? { low, lora } : null, bias);
  const inputs = lora ? [x, lora.a, lora.b] : [x];
  r.differentiable([y], inputs, () => {
    const dy = r.gradientOf(y);
    invariant(dy, `${weight.name}: no gradient arrived`);
    const dLow = lora ? loraBackward(r, x, dy, low as Tensor, weight, lora) : null;
    r.addGradient(x, (prior) => inputGradient(r, x, dy, weight, prior, dLow && lora ? { low: dLow, lora } : null));
  });
  return y;
}

interface Branch {
  low: Tensor;
  lora: LoraPair;
}

function rankOf(lora: LoraPair): number {
  return lora.a.shape[0];
}

/** t [tokens, rank] = dropout(x) A^T. */
function loraDown(r: Recorder, x: Tensor, lora: LoraPair): Tensor {
  const [tokens = 0, width = 0] = x.shape;
  const rank = rankOf(lora);
  const low = r.tensor('lora', [tokens, rank]);
  for (const [start, end] of r.rowBlocks(tokens, width * 4, rank * 4)) {
    recordProduct(r, {
      variant: { form: 'nt', weight: null, tail: false, dropout: lora.dropout !== null, gradient: false },
      bindings: { a: rowsOf(x, start, end), b: lora.a, out: rowsOf(low, start, end), ...(lora.dropout ? { header: lora.header } : {}) },
      rows: end - start,
      columns: rank,
      inner: width,
      aStride: width,
      bStride: width,
      outStride: rank,
      rowStart: start,
      dropout: lora.dropout ?? undefined,
    });
  }
  return low;
}

function forward(r: Recorder, x: Tensor, weight: WeightMatrix, y: Tensor, branch: Branch | null, bias: Tensor | null): void {
  const [tokens = 0, width = 0] = x.shape;
  const outStride = y.shape[1];
  const rank = branch ? rankOf(branch.lora) : 0;
  const blocks = r.rowBlocks(tokens, width * 4, outStride * 4, ...(branch ? [rank * 4] : []));
  for (const shard of weight.shards) {
    for (const [start, end] of blocks) {
      recordProduct(r, {
        variant: { form: 'nt', weight: weight.type, tail: branch !== null, dropout: false, gradient: false, bias: bias !== null },
        bindings: {
          a: rowsOf(x, start, end),
          out: rowsOf(y, start, end),
          ...weightBindings(weight, shard),
          ...(bias ? { bias } : {}),
          ...(branch ? { t: rowsOf(branch.low, start, end), u: rowsOf(branch.lora.b, shard.start, shard.end) } : {}),
        },
        rows: end - start,
        columns: shard.end - shard.start,
        inner: width,
        aStride: width,
        outStride,
        outOffset: shard.start,
        rank,
        scale: branch?.lora.scale,
      });
    }
  }
}

/** Gradients of A and B; returns scale x dy B [tokens, rank], which dx needs too. */
function loraBackward(r: Recorder, x: Tensor, dy: Tensor, low: Tensor, weight: WeightMatrix, lora: LoraPair): Tensor {
  const [tokens = 0, width = 0] = x.shape;
  const outStride = dy.shape[1];
  const rank = rankOf(lora);
  const dLow = r.tensor('lora.gradient', [tokens, rank]);
  for (const [start, end] of r.rowBlocks(tokens, width * 4, outStride * 4, rank * 4)) {
    recordProduct(r, {
      variant: { form: 'nn', weight: null, tail: false, dropout: false, gradient: false },
      bindings: { a: rowsOf(dy, start, end), b: lora.b, out: rowsOf(dLow, start, end) },
      rows: end - start,
      columns: rank,
      inner: weight.rows,
      aStride: outStride,
      bStride: rank,
      outStride: rank,
      alpha: lora.scale,
    });
    const gradB = r.parameterGradient(lora.b);
    recordProduct(r, {
      variant: { form: 'tn', weight: null, tail: false, dropout: false, gradient: true },
      bindings: { a: rowsOf(dy, start, end), b: rowsOf(low, start, end), out: gradB.tensor, header: lora.header },
      rows: weight.rows,
      columns: rank,
      inner: end - start,
      aStride: outStride,
      bStride: rank,
      outStride: rank,
      alpha: lora.scale,
      accumulate: gradB.mode === 'add',
    });
    const gradA = r.parameterGradient(lora.a);
    recordProduct(r, {
      variant: { form: 'tn', weight: null, tail: false, dropout: lora.dropout !== null, gradient: true },
      bindings: { a: rowsOf(dLow, start, end), b: rowsOf(x, start, end), out: gradA.tensor, header: lora.header },
      rows: rank,
      columns: width,
      inner: end - start,
      aStride: rank,
      bStride: width,
      outStride: width,
      accumulate: gradA.mode === 'add',
      dropout: lora.dropout ?? undefined,
      rowStart: start,
    });
  }
  return dLow;
}

function inputGradient(r: Recorder, x: Tensor, dy: Tensor, weight: WeightMatrix, prior: Gradient | null, branch: Branch | null): Gradient {
  const [tokens = 0, width = 0] = x.shape;
  const outStride = dy.shape[1];
  const into = prior?.owned ? prior.tensor : r.tensor('x.gradient', x.shape);
  const rank = branch ? rankOf(branch.lora) : 0;
  const dropout = branch?.lora.dropout ?? undefined;
  const blocks = r.rowBlocks(tokens, width * 4, outStride * 4, ...(branch ? [rank * 4] : []));
  for (const [index, shard] of weight.shards.entries()) {
    // The branch is added once, with the first shard.
    const tail = index === 0 ? branch : null;
    for (const [start, end] of blocks) {
      recordProduct(r, {
        variant: { form: 'nn', weight: weight.type, tail: tail !== null, dropout: tail !== null && dropout !== undefined, gradient: false },
        bindings: {
          a: rowsOf(dy, start, end),
          out: rowsOf(into, start, end),
          ...weightBindings(weight, shard),
          ...(tail ? { t: rowsOf(tail.low, start, end), u: tail.lora.a } : {}),
          ...(tail && dropout ? { header: tail.lora.header } : {}),
        },
        rows: end - start,
        columns: width,
        inner: shard.end - shard.start,
        aStride: outStride,
        aOffset: shard.start,
        outStride: width,
        accumulate: index > 0 || prior?.owned === true,
        rank: tail ? rank : 0,
        scale: 1,
        dropout: tail ? dropout : undefined,
        rowStart: start,
      });
    }
  }
  if (!prior || prior.owned) return { tensor: into, owned: true };
  addInto(r, into, prior.tensor);
  return { tensor: into, owned: true };
}
