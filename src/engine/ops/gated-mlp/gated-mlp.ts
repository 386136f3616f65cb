/** The gate of a gated MLP: what lies between its two linears up and the one down. Knows no layer. */
import { invariant } from '#base/errors.ts';
import { type KernelDescription, ceilDivide, defineKernel, linearGrid } from '#engine/gpu/kernel.ts';
import type { Recorder } from '#engine/graph/recorder.ts';
import { type Tensor, rowsOf, shapeText } from '#engine/graph/tensor.ts';
import backwardSource from '#engine/ops/gated-mlp/silu-mul-backward.wgsl?raw';
import forwardSource from '#engine/ops/gated-mlp/silu-mul.wgsl?raw';

const grid: KernelDescription['grid'] = ({ vectors = 0 }) => linearGrid(ceilDivide(vectors, 64));
const forwardKernel = defineKernel({ name: 'silu-mul', source: forwardSource, writes: ['out'], grid });
const backwardKernel = defineKernel({ name: 'silu-mul-backward', source: backwardSource, writes: ['dGate', 'dUp'], grid });

/**
 * out = silu(gate) * up, all [tokens, intermediate] f32; silu(g) = g s, s = 1 / (1 + exp(-g)).
 * dGate = dOut * up * s * (1 + gate * (1 - s)); dUp = dOut * gate * s, both in one pass.
 * @throws AppError `internal` when the shapes differ.
 * @source https://arxiv.org/abs/2002.05202; transformers' LlamaMLP
 */
export function siluMul(r: Recorder, gate: Tensor, up: Tensor): Tensor {
  const [tokens = 0, width = 0] = gate.shape;
  invariant(shapeText(gate.shape) === shapeText(up.shape), `siluMul: ${shapeText(gate.shape)} and ${shapeText(up.shape)} differ`);
  invariant(width % 4 === 0, `siluMul: ${shapeText(gate.shape)}, a multiple of 4 columns was expected`);
  invariant(gate !== up, `siluMul: ${gate.name} is given twice, and one range cannot be bound twice`);
  const out = r.tensor('gated', gate.shape);
  const blocks = r.rowBlocks(tokens, width * 4);
  for (const [start, end] of blocks) {
    const bindings = { gate: rowsOf(gate, start, end), up: rowsOf(up, start, end), out: rowsOf(out, start, end) };
    r.run(forwardKernel, bindings, { vectors: ((end - start) * width) / 4 });
  }
  r.differentiable([out], [gate, up], () => {
    const dOut = r.gradientOf(out);
    invariant(dOut, `siluMul: no gradient of ${out.name} arrived`);
    const dGate = r.tensor('gate.gradient', gate.shape);
    const dUp = r.tensor('up.gradient', up.shape);
    for (const [start, end] of blocks) {
      const [g, u, d, dg, du] = [gate, up, dOut, dGate, dUp].map((tensor) => rowsOf(tensor, start, end));
      r.run(backwardKernel, { gate: g, up: u, dOut: d, dGate: dg, dUp: du }, { vectors: ((end - start) * width) / 4 });
    }
    r.contribute(gate, { tensor: dGate, owned: true });
    r.contribute(up, { tensor: dUp, owned: true });
  });
  return out;
}
