/** What a run will take, for a person on stderr and for `--dry_run` as JSON. Knows no device. */
import { formatBytes, formatCount } from '#cli/progress.ts';
import type { TokenizedRows } from '#data/tokenize.ts';
import { PURPOSES, totalBytes } from '#engine/gpu/ledger.ts';
import type { RunPlan } from '#run/lora-run.ts';

export function planLines(
  { steps, training, layout }: RunPlan,
  { sequences, report }: TokenizedRows,
  validation: TokenizedRows | null,
): string[] {
  const findings: [string, number][] = [
    ['cut off', report.truncated.count],
    ['left out, empty', report.empty.count],
    ['left out, a column that the template names is empty', report.missing.count],
    ['left out, nothing carries loss', report.noLoss.count],
  ];
  const bytes = PURPOSES.filter((purpose) => training.bytes[purpose] > 0).map(
    (purpose) => `${purpose} ${formatBytes(training.bytes[purpose])}`,
  );
  return [
    `rows: ${sequences.length} sequences, ${report.tokens} tokens, ${report.lossTokens} with loss, longest ${report.longest}`,
    ...findings.filter(([, count]) => count > 0).map(([what, count]) => `  ${count} rows ${what}`),
    ...(validation ? [`measured: ${validation.sequences.length} sequences, ${validation.report.lossTokens} tokens with loss`] : []),
    `adapter: r ${layout.options.r}, ${layout.modules.length} linears, ${formatCount(layout.parameterCount)} trainable numbers`,
    `steps: ${steps.totalSteps} of ${steps.rowsPerStep} rows; capacities ${training.options.capacities.join(', ')} tokens`,
    `memory: ${formatBytes(totalBytes(training.bytes))} (${bytes.join(', ')})`,
  ];
}

export function planJson(
  { steps, training, layout, recipe }: RunPlan,
  { sequences, report }: TokenizedRows,
  validation: TokenizedRows | null,
): object {
  return {
    total_bytes: totalBytes(training.bytes),
    bytes: training.bytes,
    steps: steps.totalSteps,
    rows_per_step: steps.rowsPerStep,
    epochs: steps.epochs,
    warmup_steps: steps.warmupSteps,
    sequences: sequences.length,
    tokens: report.tokens,
    loss_tokens: report.lossTokens,
    longest_tokens: report.longest,
    eval_sequences: validation?.sequences.length ?? 0,
    capacities: training.options.capacities,
    trainable_parameters: layout.parameterCount,
    dispatches: training.train.at(-1)?.dispatches,
    recipe,
  };
}
