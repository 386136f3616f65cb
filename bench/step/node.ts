/**
 * The roof, our step and its profile in Node, on the adapter that VK_ICD_FILENAMES leaves:
 * `node --import ./bin/loader.mjs bench/step/node.ts [--rounds N] [--no-quads] [--json]`
 */
import { parseArgs } from 'node:util';
import { openGpu } from '#engine/gpu/device.ts';
import { nodeGpu } from '#engine/gpu/node-gpu.ts';
import { makeCase } from './case.ts';
import { figureRows, median, ourFigures, tableText } from './measure.ts';
import { OurStep } from './ours.ts';
import { ROOF_FLOPS, makeRoof } from './roof.ts';

const WARM_UP = 2;

const { values: args } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    // The kernels of an adapter without quads, for comparison.
    'no-quads': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const gpu = await openGpu(nodeGpu(), { quads: !args['no-quads'] });
const step = await OurStep.create(gpu, makeCase());
const counted = { dispatches: step.dispatches, recordedFlops: step.recordedFlops, peakBytes: step.peakBytes, planBytes: step.planBytes };
const roof = await makeRoof(gpu.device, 1);
const unrolledRoof = await makeRoof(gpu.device, 8);
const rounds = [];
/** Processor time of roof and step, in ms: a software adapter's work is in this process, however busy the machine is. */
const processor: { roofMs: number; stepMs: number }[] = [];
for (let round = -WARM_UP; round < Number(args.rounds); round++) {
  const unrolledRoofGflops = await unrolledRoof.measure();
  const before = process.cpuUsage();
  const roofGflops = await roof.measure();
  const between = process.cpuUsage();
  const stepMs = await step.step();
  const after = process.cpuUsage();
  if (round < 0) continue;
  rounds.push({ roofGflops, unrolledRoofGflops, stepMs });
  processor.push({ roofMs: (between.user - before.user) / 1000, stepMs: (after.user - between.user) / 1000 });
}
const ours = ourFigures(rounds, counted);
const processorStepMs = median(processor.map(({ stepMs }) => stepMs));
const processorShare = ours.flops.total / processorStepMs / (ROOF_FLOPS / median(processor.map(({ roofMs }) => roofMs)));
const profile = await step.profile(Number(args.rounds));
const adapter = gpu.adapter.description;

const { isSoftware } = gpu.adapter;
if (args.json) {
  console.log(JSON.stringify({ adapter, isSoftware, ours, ...(isSoftware ? { processorStepMs, processorShare } : {}), profile }, null, 2));
} else {
  console.log(`${adapter}${isSoftware ? ' (computes on the CPU)' : ''}, Node\n`);
  const byProcessor = ['by processor time', `${processorStepMs.toFixed(0)} ms a step, ${(100 * processorShare).toFixed(1)} % of the roof`];
  console.log(tableText([...figureRows(ours), ...(isSoftware ? [byProcessor] : [])]));
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
