/** Writes the loop that says how fast an adapter multiplies and adds in registers: no memory, 16 independent chains. */

export const ACCUMULATORS = 16;
const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** @param unroll multiply-adds of each accumulator in one turn of the loop. */
export function roofSource(unroll: number): string {
  const chains = range(ACCUMULATORS);
  const turn = range(unroll).flatMap(() => chains.map((i) => `    c${i} = c${i} * x + y;`));
  return `
// c_i <- c_i x + y, ${ACCUMULATORS} chains, ${unroll} multiply-adds of each a turn. All f32; out [invocations] keeps the loop alive.
struct Params { turns: u32, x: f32, y: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let x = p.x;
  let y = p.y;
${chains.map((i) => `  var c${i} = f32(id.x + ${i}u);`).join('\n')}
  for (var turn = 0u; turn < p.turns; turn++) {
${turn.join('\n')}
  }
  out[id.x] = ${chains.map((i) => `c${i}`).join(' + ')};
}
`;
}
