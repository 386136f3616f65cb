/** Medians and the figures that both programs of this bench print. Knows no engine. */
import { type StepFlops, countFlops } from './flops.ts';

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export interface OurFigures {
  stepMs: number;
  leastStepMs: number;
  flops: StepFlops;
  gflops: number;
  /** GFLOP/s of the loop with one multiply-add of each accumulator a turn, and with eight. */
  roofGflops: number;
  unrolledRoofGflops: number;
  shareOfRoof: number;
  shareOfUnrolledRoof: number;
  dispatches: number;
  /** Operations of the products as recorded, the batch's padding included. */
  recordedFlops: number;
  peakBytes: number;
  planBytes: number;
}

/** @param rounds measured one after another, so that what else the machine does weighs on all alike. */
export function ourFigures(
  rounds: readonly { stepMs: number; roofGflops: number; unrolledRoofGflops: number }[],
  counted: Pick<OurFigures, 'dispatches' | 'recordedFlops' | 'peakBytes' | 'planBytes'>,
): OurFigures {
  const flops = countFlops();
  const stepMs = median(rounds.map((round) => round.stepMs));
  const roofGflops = median(rounds.map((round) => round.roofGflops));
  const unrolledRoofGflops = median(rounds.map((round) => round.unrolledRoofGflops));
  const gflops = flops.total / stepMs / 1e6;
  return {
    stepMs,
    leastStepMs: Math.min(...rounds.map((round) => round.stepMs)),
    flops,
    gflops,
    roofGflops,
    unrolledRoofGflops,
    shareOfRoof: gflops / roofGflops,
    shareOfUnrolledRoof: gflops / unrolledRoofGflops,
    ...counted,
  };
}

const mega = (bytes: number) => `${(bytes / 2 ** 20).toFixed(2)} MiB`;
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/** Rows of a table of two columns. */
export function figureRows(ours: OurFigures): [string, string][] {
  const { flops } = ours;
  const kinds = (['forward', 'inputGradients', 'lora', 'head'] as const).map((kind) => `${kind} ${(flops[kind] / 1e6).toFixed(0)}`);
  return [
    ['ms a step, median (least)', `${ours.stepMs.toFixed(0)} (${ours.leastStepMs.toFixed(0)})`],
    ['MFLOP a step', `${(flops.total / 1e6).toFixed(0)} (${kinds.join(', ')})`],
    [
      'MFLOP not counted',
      `attention ${(flops.attention / 1e6).toFixed(0)}, padding ${((ours.recordedFlops - flops.total) / 1e6).toFixed(0)}`,
    ],
    ['GFLOP/s', ours.gflops.toFixed(2)],
    ['multiply-add roof, GFLOP/s', `${ours.roofGflops.toFixed(2)} (unrolled 8 times: ${ours.unrolledRoofGflops.toFixed(2)})`],
    ['share of the roof', `${percent(ours.shareOfRoof)} (of the unrolled loop: ${percent(ours.shareOfUnrolledRoof)})`],
    ['dispatches a step', String(ours.dispatches)],
    ['bytes at the peak / planned', `${mega(ours.peakBytes)} / ${mega(ours.planBytes)}`],
  ];
}

export function tableText(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
