/** The strings of Train in English. */
import type { DamagedFile } from '#protocol/trainer.ts';
import type { FormGroup } from '#studio/train/form-groups.ts';
import { bytes, count, loss, parameters } from '#studio/text/format.ts';
import { plural } from '#studio/text/plural.ts';

export const train = {
  lead: 'The adapter learns from the rows; the base stays as it is.',
  demoLead: (rows: number | null) =>
    `This is the demo: a small model learns to turn a shop’s messages into order tickets${rows === null ? '' : `, from ${plural(rows, 'row')}`}. Press the button and watch the tuned column fill. To bring your own, drop a model folder, a GGUF or a file of rows anywhere in the window.`,
  start: 'Start training',
  startDemo: 'Train the demo',
  startAgain: 'Train again',
  pause: 'Pause',
  resume: 'Resume',
  stop: 'Stop',
  againHint: 'A new run starts from a fresh adapter; the present one is discarded.',
  blocked: {
    device: 'This browser gives the page nothing to compute on.',
    model: 'No model is open.',
    opening: 'The model is being opened.',
    data: 'No dataset is open.',
    mapping: 'The dataset’s columns need a mapping.',
    rows: 'The rows cannot be used as they are.',
    preparing: 'The rows are being made into tokens.',
    recipe: (field: string) => `A setting needs mending: ${field}.`,
    plan: 'The recipe does not fit.',
  },
  states: {
    idle: 'Nothing has been trained yet.',
    ready: (steps: number) => `ready, ${plural(steps, 'step')}`,
    notReady: 'not ready',
    preparing: (what: string) => `Preparing ${what}.`,
    training: (step: number, steps: number, lossNats: number | null) =>
      `step ${count(step)} of ${count(steps)}${lossNats === null ? '' : `, loss ${loss(lossNats)}`}`,
    answering: (step: number, done: number, total: number) =>
      step === 0 ? `base answers ${count(done)} of ${count(total)}` : `answers at step ${count(step)}: ${count(done)} of ${count(total)}`,
    paused: (step: number, steps: number) => `paused at step ${count(step)} of ${count(steps)}`,
    notSaved: (step: number) => `paused at step ${count(step)}: the checkpoint could not be kept`,
    evaluating: (step: number, done: number, total: number) =>
      `step ${count(step)}, measuring held-out rows, ${count(done)} of ${count(total)}`,
    recovering: 'the graphics device was lost: taking a new one',
    early: (step: number, steps: number) => `ended early at step ${count(step)} of ${count(steps)}: no gain on held-out rows`,
    notFinite: (step: number) => `paused: the loss of step ${count(step)} is not a number`,
    done: (steps: number) => `done, ${plural(steps, 'step')}`,
    stopped: (step: number, steps: number) => `stopped at step ${count(step)} of ${count(steps)}`,
    failed: (step: number) => `failed after ${plural(step, 'step')}`,
  },
  facts: {
    step: 'Step',
    stepOf: (step: number, steps: number) => `${count(step)} of ${count(steps)}`,
    loss: 'Loss',
    lossUnit: 'nats per token',
    perplexity: 'Perplexity',
    rate: 'Tokens per second',
    left: 'Time left',
    memory: 'Memory',
    planned: 'planned',
    held: 'held now',
    none: '–',
    validation: 'Validation loss',
    best: (value: number, step: number) => `best ${loss(value)} at step ${count(step)}`,
    tooFew: 'too few to judge',
    kept: 'Kept',
    keptAt: (step: number) => `step ${count(step)}`,
    learningRate: 'Learning rate',
    epoch: 'Epoch',
  },
  charts: {
    loss: 'Loss, nats per token',
    perplexity: 'Perplexity',
    step: 'step',
    raw: 'each step',
    smooth: 'smoothed',
    accuracy: 'Token accuracy, held-out rows',
    validation: 'held-out rows',
    best: 'best',
    empty: 'The first point comes after the first step.',
    emptyValidation: 'The first point comes with the first evaluation.',
    label: (what: string, points: number) => `${what} by step, ${plural(points, 'point')}`,
    loading: 'Loading the charts …',
  },
  memory: {
    heading: 'Memory by purpose',
    live: 'Held',
    plan: 'Planned',
    total: 'Total',
    peak: (value: number) => `Peak ${bytes(value)}`,
    verdict: (total: number, steps: number, trainable: number) =>
      `Needs ${bytes(total)}, ${plural(steps, 'step')}, ${parameters(trainable)} trainable parameters.`,
    none: 'What a run needs is told here once model and rows are open.',
    purposes: {
      weights: 'Weights',
      adapter: 'Adapter',
      gradients: 'Gradients',
      optimizer: 'Optimizer',
      activations: 'Activations',
      'kv-cache': 'KV cache',
      batch: 'Batch',
      uniforms: 'Uniforms',
      scratch: 'Scratch',
      readback: 'Readback',
    } as Record<string, string>,
  },
  warnings: {
    heading: 'Worth knowing',
    recovering: (why: string, step: number | null) =>
      `The graphics device was lost (${why}). A new one is being taken and the model goes back to it; ${step === null ? 'the run begins again.' : `the run goes on from step ${count(step)}.`}`,
    recoveringModel: (why: string) => `The graphics device was lost (${why}). A new one is being taken, and the model goes back to it.`,
    adapterLost:
      'The graphics device was lost, and the adapter with it: no checkpoint of it was kept. The curves are those of the run that was.',
    wentBackTo: (step: number) => `The graphics device was lost. The adapter is that of step ${count(step)}, its last checkpoint.`,
    software: 'This device computes on the CPU; a GPU would be many times faster.',
    notFinite:
      'The loss or a gradient was not a number, so that step changed nothing and the run paused. Stop, lower the learning rate and start again.',
    truncated: (n: number) => `${plural(n, 'row')} cut off at the longest sequence.`,
    merged: (n: number) =>
      `In ${plural(n, 'row')} prompt and answer share a token, so the model is asked in another context than it learns in.`,
    rising: 'The loss has risen well above its lowest: the learning rate may be too high.',
  },
  answers: {
    heading: 'Held-out rows',
    notYet: 'The held-out rows show here when model and rows are ready.',
    none: 'No held-out rows have an answer to compare: hold some out in the recipe, with loss on the answer.',
    /** One line in two parts, each in its side's colour. */
    lineParts: (base: number, tuned: number, total: number): [string, string] => [
      `${count(base)} of ${count(total)}, `,
      `then ${count(tuned)} of ${count(total)}`,
    ],
    lineBase: (base: number, total: number) => `${count(base)} of ${count(total)} by the base`,
    exact: (step: number) => `answered exactly, base and after ${plural(step, 'step')}`,
    exactBase: 'answered exactly before training',
    waiting: (total: number) => `${plural(total, 'row')} that training never sees, answered before, during and after.`,
    message: 'Message',
    base: 'Base',
    tuned: 'Tuned',
    expected: 'Expected',
    isExact: 'exact',
    isWrong: 'not exact',
    pending: '',
    all: (n: number) => `Show all ${count(n)}`,
    fewer: 'Show fewer',
    own: 'Ask it your own message',
  },
  keeping: {
    notSavedPaused: (step: number) => `The checkpoint of step ${count(step)} could not be kept, so the run paused.`,
    notSavedPausedAction: 'Free some space, then press Resume: it tries again. The former checkpoint is still whole.',
    notSavedRunning: 'This run is not kept on this device.',
    notSavedRunningAction: 'It trains on in memory; a closed tab or a reload loses it.',
    goToStorage: 'See what is kept',
  },
  remedies: {
    heading: 'What would fit',
    /** Parts of the sentence before the bytes, by field of the recipe. */
    changes: {
      gradient_checkpointing: () => 'recompute activations',
      per_device_train_batch_size: (value: unknown) => `batches of ${value === 1 ? '1 row' : `${String(value)} rows`}`,
      gradient_accumulation_steps: (value: unknown) => `${String(value)} of them to a step`,
      max_seq_len: (value: unknown) => `rows cut off at ${String(value)} tokens`,
    } as Record<string, (value: unknown) => string>,
    other: (field: string, value: unknown) => `${field} ${JSON.stringify(value)}`,
    sentence: (changes: string[], total: number, instead: number) => {
      const said = changes.length < 2 ? changes.join('') : `${changes.slice(0, -1).join(', ')} and ${changes.at(-1)}`;
      return `With ${said} the run needs ${bytes(total)} instead of ${bytes(instead)}.`;
    },
    apply: 'Change it and start',
  },
  resumed: {
    passedOver: (n: number, step: number) =>
      `${n === 1 ? 'A checkpoint was' : `${count(n)} checkpoints were`} damaged and passed over; the run went on from ${step === 0 ? 'the beginning' : `step ${count(step)}`}.`,
    damaged: ({ path, found, expected }: DamagedFile) => `${path}: ${found} was found, ${expected} was expected`,
  },
  recipe: {
    heading: 'Recipe',
    reset: 'Back to the defaults',
    changed: 'changed',
    groups: {
      adapter: 'Adapter',
      optimizer: 'Optimizer',
      steps: 'Steps',
      data: 'Rows',
      validation: 'Validation and checkpoints',
      records: 'Records',
    } satisfies Record<FormGroup, string>,
    fixed: 'Changes apply to the next run.',
    targetAll: 'All linears',
    targetPeft: 'PEFT’s choice',
    targetSome: 'Chosen ones',
    chooseTargets: 'Linears',
    usual: (value: string) => `Usual: ${value}.`,
    expected: (expected: string) => `Expected: ${expected}.`,
    answeredRows: 'Rows to answer',
    answeredRowsExpected: 'Expected: a whole number from 0 on.',
    answeredRowsAbout: 'Held-out rows that base and tuned answer before, during and after training.',
    tooFew: (rows: number) =>
      `${plural(rows, 'held-out row')}: too few to judge. Early stopping and the best step are off; from 20 rows on they work.`,
    noValidation: 'No held-out rows to measure.',
    /** Of the fields that are a choice, what each value is called. */
    choices: {
      lr_scheduler_type: { constant: 'Constant', constant_with_warmup: 'Constant after warmup', linear: 'Linear', cosine: 'Cosine' },
      strategy: { 'line-by-line': 'Each row by itself', join: 'Rows joined' },
      eval_strategy: { no: 'At the end', steps: 'By steps', epoch: 'After each epoch' },
      save_strategy: { no: 'Never', steps: 'By steps', epoch: 'After each epoch' },
      metric_for_best_model: { eval_loss: 'Loss', eval_mean_token_accuracy: 'Token accuracy' },
    } as Record<string, Record<string, string>>,
  },
};
