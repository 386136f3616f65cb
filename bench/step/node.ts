/**
 * The roof, our step and its profile in Node, on the adapter that VK_ICD_FILENAMES leaves:
 * `node --import ./bin/loader.mjs bench/step/node.ts [--rounds N] [--json]`
 */
import { parseArgs } from 'node:util';
import { openGpu } from '#engine/gpu/device.ts';
import { nodeGpu } from '#engine/gpu/node-gpu.ts';
import { makeCase } from './case.ts';
import { figureRows, ourFigures, tableText } from './measure.ts';
import { OurStep } from './ours.ts';
import { makeRoof } from './roof.ts';

const WARM_UP = 2;

const { values: args } = parseArgs({ options: { rounds: { type: 'string', default: '9' }, json: { type: 'boolean', default: false } } });
const gpu = await openGpu(nodeGpu());
const step = await OurStep.create(gpu, makeCase());
const counted = { dispatches: step.dispatches, peakBytes: step.peakBytes, planBytes: step.planBytes };
const roof = await makeRoof(gpu.device, 1);
const unrolledRoof = await makeRoof(gpu.device, 8);
const rounds = [];
for (let round = -WARM_UP; round < Number(args.rounds); round++) {
  const figures = { roofGflops: await roof.measure(), unrolledRoofGflops: await unrolledRoof.measure(), stepMs: await step.step() };
  if (round >= 0) rounds.push(figures);
}
const ours = ourFigures(rounds, counted);
const profile = await step.profile(Number(args.rounds));
const adapter = gpu.adapter.description;

if (args.json) {
  console.log(JSON.stringify({ adapter, isSoftware: gpu.adapter.isSoftware, ours, profile }, null, 2));
} else {
  console.log(`${adapter}${gpu.adapter.isSoftware ? ' (computes on the CPU)' : ''}, Node\n`);
  console.log(tableText(figureRows(ours)));
  const totalMs = profile.reduce((sum, { ms }) => sum + ms, 0);
  const rows = profile.map(({ kernel, dispatches, ms, work }) => [
    kernel,
    String(dispatches),
    ms.toFixed(2),
    `${((100 * ms) / totalMs).toFixed(1)} %`,
    ms > 0 ? ((2 * work) / ms / 1e6).toFixed(2) : '-',
  ]);
  console.log(`\nProfile: the least of ${args.rounds} runs of each dispatch, one pass each\n`);
  console.log(tableText([['kernel', 'dispatches', 'ms', 'share', 'GFLOP/s'], ...rows, ['all', '', totalMs.toFixed(2), '', '']]));
}
// Dawn keeps the process alive for as long as it has a device.
process.exit(0);
