/** The strings of Recipe in English. */
import type { FieldKind } from '#recipe/fields.ts';
import type { Preset, StepCount } from '#recipe/presets.ts';
import type { BudgetVerdict } from '#studio/stores/budget.ts';
import type { FormGroup } from '#studio/recipe/form-groups.ts';
import { bytes, count, duration, parameters, rate } from '#studio/text/format.ts';
import { plural } from '#studio/text/plural.ts';

/** Beyond this a greatest value is a guard, and no advice. */
const ADVICE = 1_000_000;

/** Up to three digits behind the point, as epochs are counted. */
const short = (value: number): string => String(Number(value.toFixed(value < 10 ? 2 : 1)));

/** What a number may be; what an empty field stands for, unless that is the usual anyway. */
function range(kind: FieldKind, usual: string): string {
  if (kind.kind !== 'integer' && kind.kind !== 'number') return '';
  const empty = kind.kind === 'integer' && kind.nullMeans !== undefined && kind.nullMeans !== usual ? ` Empty: ${kind.nullMeans}.` : '';
  const open = 'open' in kind ? kind.open : undefined;
  const isAdvice = kind.max < ADVICE;
  if (open === 'min') return `Above ${kind.min}${isAdvice ? `, at most ${count(kind.max)}` : ''}.${empty}`;
  if (open === 'max') return `From ${kind.min}, below ${count(kind.max)}.${empty}`;
  return `From ${kind.min} ${isAdvice ? `to ${count(kind.max)}` : 'on'}.${empty}`;
}

function need(verdict: BudgetVerdict): string {
  switch (verdict.kind) {
    case 'nothing':
    case 'budget':
      return '';
    case 'unchecked':
      return `needs ${bytes(verdict.needBytes)}, not yet checked here`;
    case 'fits':
      return `needs ${bytes(verdict.needBytes)} and fits into the ${bytes(verdict.budgetBytes)} that this device gives`;
    case 'tooMuch':
      return `needs ${bytes(verdict.needBytes)}, more than the ${bytes(verdict.budgetBytes)} that this device gives`;
    case 'beyond':
      return `needs ${bytes(verdict.needBytes)}, more than the ${bytes(verdict.budgetBytes)} that the check asked for`;
    default:
      return verdict satisfies never;
  }
}

export const recipe = {
  lead: 'How the adapter learns. Every setting says what it does and what is usual.',
  state: (rank: string, steps: number | null) => `LoRA r ${rank}${steps === null ? '' : `, ${plural(steps, 'step')}`}`,
  wrongState: (n: number) => `${plural(n, 'setting')} to mend`,
  undo: 'Undo',
  redo: 'Redo',
  reset: 'Back to the defaults',
  open: 'Open a file …',
  download: 'Download',
  keys: 'Ctrl Z undoes, Ctrl Shift Z does it again.',
  changed: 'changed',
  verdict: {
    heading: 'What it takes',
    none: 'Memory and time are told here once model and rows are open.',
    method: (rank: number, targets: string) => `LoRA of rank ${rank} on ${targets}`,
    allLinears: 'all linears',
    peftLinears: 'the linears that PEFT chooses',
    someLinears: (names: readonly string[]) => names.join(', '),
    need,
    time: (steps: number, seconds: number, tokensPerSecond: number) =>
      `its ${plural(steps, 'step')} take about ${duration(seconds)} at the ${rate(tokensPerSecond)} tokens per second of the last run here`,
    noTime: (steps: number) => `how long its ${plural(steps, 'step')} take is not measured yet`,
    sentence: (method: string, parts: readonly string[]) => `${method} ${parts.filter((part) => part !== '').join('; ')}.`,
    running: 'A run is going on: changes are for the next one, and what that takes is told when this one ends.',
    mending: 'What it takes is told once the settings below are mended.',
    trainable: (n: number) => `${parameters(n)} trainable parameters`,
  },
  /** What a bound on epochs makes of the rows, aloud. */
  steps: ({ sequences, epochs, rowsPerStep, steps }: StepCount, isJoined: boolean, isCounted: boolean) => {
    const unit = isJoined ? 'block' : 'row';
    const rows = plural(sequences, unit);
    if (!isCounted)
      return `${rows} × ${short(epochs)} ${epochs === 1 ? 'epoch' : 'epochs'}, ${count(rowsPerStep)} a step = ${plural(steps, 'step')}.`;
    const times = epochs === 1 ? 'once' : `${short(epochs)} times`;
    return `${plural(steps, 'step')}, ${plural(rowsPerStep, unit)} a step: the ${rows} are seen ${times}.`;
  },
  fewSteps: (steps: number) => `${plural(steps, 'step')} is little to learn in: from 60 on an adapter begins to hold what it saw.`,
  fewStepsAction: 'More epochs, more rows or smaller batches make more steps.',
  unusualRate: {
    low: (value: number, usual: number) =>
      `A learning rate of ${String(value)} is far below the usual ${String(usual)} for LoRA at this size.`,
    high: (value: number, usual: number) =>
      `A learning rate of ${String(value)} is far above the usual ${String(usual)} for LoRA at this size.`,
    lowAction: 'Little may be learnt in so many steps.',
    highAction: 'The loss may rise or stop being a number.',
  },
  unusualHere: {
    low: (usual: number) => `Far below the usual ${String(usual)}.`,
    high: (usual: number) => `Far above the usual ${String(usual)}.`,
  },
  usualRate: (usual: number) => `${String(usual)} for a model of this size`,
  takeUsual: (usual: number) => `Take ${String(usual)}`,
  presets: {
    heading: 'Presets',
    names: { quick: 'Quick try', balanced: 'Balanced', thorough: 'Thorough', 'least-memory': 'Least memory' } satisfies Record<
      Preset,
      string
    >,
    effects: {
      quick: (rank: number, steps: string) => `Rank ${rank}, ${steps}, measured at the end alone: shows whether anything is learnt.`,
      balanced: (rank: number, steps: string) => `Rank ${rank}, ${steps}: what suits this model and these rows.`,
      thorough: (rank: number, steps: string) => `Rank ${rank}, ${steps}, some dropout; ends with its best step on held-out rows.`,
      'least-memory': (rank: number, steps: string) =>
        `Rank ${rank}, ${steps}, one row at a time, activations computed again: about a third slower.`,
    } satisfies Record<Preset, (rank: number, steps: string) => string>,
    steps: (n: number) => plural(n, 'step'),
    epochs: (n: number) => `${short(n)} ${n === 1 ? 'epoch' : 'epochs'}`,
  },
  groups: {
    adapter: 'Adapter',
    steps: 'Steps, batches and memory',
    optimizer: 'Optimizer',
    data: 'Rows',
    validation: 'Held-out rows',
    records: 'Checkpoints and records',
  } satisfies Record<FormGroup, string>,
  elsewhere: 'Model and rows',
  nothingOpen: 'nothing open',
  targetAll: 'All linears',
  targetPeft: 'PEFT’s choice',
  targetSome: 'Chosen ones',
  chooseTargets: 'Linears',
  usual: (value: string) => `Usual: ${value}.`,
  range,
  expected: (expected: string) => `Expected: ${expected}.`,
  answeredRows: 'Rows to answer',
  answeredRowsExpected: 'Expected: a whole number from 0 on.',
  answeredRowsAbout: 'Held-out rows that base and tuned answer before, during and after training; no part of the file.',
  tooFew: (rows: number) =>
    `${plural(rows, 'held-out row')}: too few to judge. Early stopping and the best step are off; from 20 rows on they work.`,
  noValidation: 'No held-out rows to measure.',
  /** Of the fields that are a choice, what each value is called. */
  choices: {
    method: { lora: 'LoRA' },
    target_modules: { 'all-linear': 'All linears' },
    lr_scheduler_type: { constant: 'Constant', constant_with_warmup: 'Constant after warmup', linear: 'Linear', cosine: 'Cosine' },
    strategy: { 'line-by-line': 'Row by row', join: 'Rows joined' },
    train_sampling_strategy: { random: 'Drawn anew', sequential: 'As in the file' },
    eval_strategy: { no: 'At the end', steps: 'By steps', epoch: 'After each epoch' },
    save_strategy: { no: 'Never', steps: 'By steps', epoch: 'After each epoch' },
    metric_for_best_model: { eval_loss: 'Loss', eval_mean_token_accuracy: 'Token accuracy' },
  } as Record<string, Record<string, string>>,
  file: {
    taken: (name: string, changed: number) =>
      `${name} was opened: ${changed === 0 ? 'every setting is at its default' : `${plural(changed, 'setting')} changed from the defaults`}.`,
    kept: 'Undo brings back what was.',
    model: (name: string) => `It was made for the model ${name}; the one that is open stays.`,
    dataFiles: (names: readonly string[]) => `It was made for the rows of ${names.join(', ')}; those that are open stay.`,
    mappingLeft: 'Its mapping was not taken: no rows are open.',
    refused: (name: string) => `${name} was not opened, and nothing was changed`,
    issue: (line: number | null, field: string, found: string, expected: string) =>
      `${line === null ? '' : `Line ${count(line)}: `}${field}: ${found} was found, ${expected} was expected.`,
  },
};
