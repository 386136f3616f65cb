/** The bench page: checks that both engines compute the same step, then times them in turn. Drives itself; `run.mjs` reads the result. */
import { openGpu } from '#engine/gpu/device.ts';
import { makeCase } from './case.ts';
import { figureRows, median, ourFigures, tableText } from './measure.ts';
import { type Agreement, OurStep } from './ours.ts';
import { makeRoof } from './roof.ts';
import { TfjsStep } from './tfjs.ts';

const LOSS_BOUND = 1e-4;
/** Of the norm of each gradient's difference, relative to the gradient's norm. */
const GRADIENT_BOUND = 1e-3;

interface Options {
  warmUp: number;
  rounds: number;
}

function relativeDistance(a: Float32Array, b: Float32Array): number {
  let difference = 0;
  let length = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    length += b[i] ** 2;
  }
  return Math.sqrt(difference / length);
}

/** @throws when the two do not compute the same step: a wrong peer is no peer. */
function checkAgreement(ours: Agreement, theirs: Agreement) {
  const lossDifference = Math.abs(ours.lossNats / theirs.lossNats - 1);
  if (!(lossDifference < LOSS_BOUND)) throw new Error(`the losses differ: ${ours.lossNats} and ${theirs.lossNats}`);
  if (ours.gradients.size !== theirs.gradients.size) throw new Error(`${ours.gradients.size} and ${theirs.gradients.size} gradients`);
  let worst = 0;
  for (const [name, { data, shape }] of ours.gradients) {
    const other = theirs.gradients.get(name);
    if (!other || other.shape.join() !== shape.join()) throw new Error(`the peer has no gradient of ${name} [${shape.join()}]`);
    const distance = relativeDistance(data, other.data);
    if (!(distance < GRADIENT_BOUND)) throw new Error(`the gradients of ${name} differ by ${distance} of their length`);
    worst = Math.max(worst, distance);
  }
  return {
    lossNats: ours.lossNats,
    lossDifference,
    gradientNorm: ours.gradientNorm,
    theirGradientNorm: theirs.gradientNorm,
    worstGradient: worst,
  };
}

async function runBench({ warmUp, rounds }: Options) {
  const say = (text: string) => console.log(text);
  const gpu = await openGpu(navigator.gpu);
  const made = makeCase();
  const ours = await OurStep.create(gpu, made);
  const counted = { dispatches: ours.dispatches, recordedFlops: ours.recordedFlops, peakBytes: ours.peakBytes, planBytes: ours.planBytes };
  const theirs = await TfjsStep.create(made);
  const agreement = checkAgreement(await ours.agreement(), await theirs.agreement());
  say(`both give a loss of ${agreement.lossNats.toFixed(6)} and the same gradients`);
  const roof = await makeRoof(gpu.device, 1);
  const unrolledRoof = await makeRoof(gpu.device, 8);
  const measured = [];
  for (let round = -warmUp; round < rounds; round++) {
    const figures = {
      roofGflops: await roof.measure(),
      unrolledRoofGflops: await unrolledRoof.measure(),
      stepMs: await ours.step(),
      tfjsMs: await theirs.step(),
    };
    say(
      `${round < 0 ? 'warm-up' : `round ${round + 1}`}: ours ${figures.stepMs.toFixed(0)} ms, TensorFlow.js ${figures.tfjsMs.toFixed(0)} ms`,
    );
    if (round >= 0) measured.push(figures);
  }
  gpu.throwIfFailed();
  const tfjsBytes = await theirs.bytes();
  const figures = ourFigures(measured, counted);
  const tfjsMs = median(measured.map((round) => round.tfjsMs));
  const tfjs = { stepMs: tfjsMs, leastStepMs: Math.min(...measured.map((round) => round.tfjsMs)), ...tfjsBytes };
  const timesFaster = tfjsMs / figures.stepMs;
  const mega = (bytes: number) => (bytes / 2 ** 20).toFixed(2);
  const table = tableText([
    ...figureRows(figures),
    ['TensorFlow.js, ms a step, median (least)', `${tfjs.stepMs.toFixed(0)} (${tfjs.leastStepMs.toFixed(0)})`],
    ['TensorFlow.js, bytes of tensors at the peak / buffers held', `${mega(tfjs.peakBytes)} / ${mega(tfjs.bufferBytes)} MiB`],
    ['times faster', timesFaster.toFixed(2)],
  ]);
  return { table, adapter: gpu.adapter, agreement, ours: figures, tfjs, timesFaster, rounds: measured };
}

declare global {
  var runStepBench: typeof runBench;
}
globalThis.runStepBench = runBench;
