/** The strings of Runs, of coming back to a run, and of what is kept on this device, in English. */
import type { RunSummary, StoragePart } from '#protocol/trainer.ts';
import { bytes, count, loss } from '#studio/text/format.ts';
import { plural } from '#studio/text/plural.ts';

const partNames: Record<StoragePart, string> = { models: 'Models', datasets: 'Datasets', runs: 'Runs', other: 'Other' };
const partHints: Record<StoragePart, string> = {
  models: 'Copies that open without being dropped again.',
  datasets: 'Copies of rows.',
  runs: 'Rows, measurements and checkpoints of the runs above.',
  other: 'Settings, and what was left behind.',
};

const states: Record<RunSummary['state'], string> = {
  running: 'stopped midway',
  paused: 'paused, then closed',
  stopped: 'stopped',
  done: 'done',
  failed: 'failed',
};

export const runs = {
  lead: 'Every run is kept on this device with its rows and its last checkpoints, so that it can go on another day. Nothing is uploaded.',
  none: 'No run is kept yet. A run is kept from its first checkpoint on.',
  loading: 'Looking for kept runs …',
  heading: 'Kept runs',
  emptyState: 'none kept',
  state: (n: number, hasInterrupted: boolean) => `${count(n)} kept${hasInterrupted ? ', one stopped midway' : ''}`,
  columns: { run: 'Run', data: 'Rows', state: 'State', loss: 'Loss', size: 'Size', when: 'Last step', actions: 'Actions' },
  states,
  now: 'goes on now',
  open: 'open',
  stepOf: (step: number, steps: number) => `step ${count(step)} of ${count(steps)}`,
  checkpoint: (step: number | null) => (step === null ? 'no checkpoint' : `checkpoint of step ${count(step)}`),
  about: (rows: number, rank: number, learningRate: number) => `${plural(rows, 'row')}, rank ${rank}, learning rate ${learningRate}`,
  loss,
  noLoss: '–',
  best: (value: number, step: number) => `best held-out ${loss(value)}, step ${count(step)}`,
  sparkLabel: (points: number) => `Loss over the run, ${plural(points, 'point')}`,
  goOn: 'Go on',
  goOnOf: (name: string) => `Go on with ${name}`,
  reopen: 'Open',
  reopenOf: (name: string) => `Open ${name}`,
  reopenHint: 'Brings its adapter and its curves back, to ask and to download. Nothing is trained.',
  openedHint: 'Its adapter is open:',
  compareOf: (name: string) => `Compare ${name}`,
  details: 'Details',
  detailsOf: (name: string) => `Details of ${name}`,
  edit: {
    name: 'Name',
    nameExpected: 'Expected: a name of 1 to 200 characters.',
    note: 'Note',
    save: 'Save',
    cancel: 'Cancel',
    useRecipe: 'Use its recipe',
    useRecipeHint: 'Puts its settings into the recipe, for the model and the rows that are open.',
  },
  further: 'Train further',
  furtherBy: 'More steps',
  furtherTo: (steps: number) => `${count(steps)} steps in all. The learning rate follows its schedule over the new length.`,
  furtherExpected: 'Expected: a whole number from 1 on.',
  furtherStart: 'Train on',
  remove: 'Delete',
  removeOf: (name: string) => `Delete ${name}`,
  removeQuestion: (sizeBytes: number) => `Delete it for good (${bytes(sizeBytes)})?`,
  keep: 'Keep',
  toTrain: 'See it in Train',
  damagedHeading: 'Damaged files',
  damagedText: 'They were changed or cut off after they were written. Nothing else was touched.',
  interrupted: {
    demo: 'the demo',
    title: (model: string, step: number, steps: number, when: string) =>
      `A run on ${model} stopped at step ${count(step)} of ${count(steps)}, ${when}`,
    checkpoint: (step: number | null) =>
      step === null ? 'no checkpoint of it was kept yet.' : `its last checkpoint is of step ${count(step)}.`,
    goOn: (step: number | null) => (step === null ? 'Start it again' : `Go on from step ${count(step)}`),
    later: 'Not now',
    all: 'All runs',
  },
  waiting: {
    title: (model: string) => `Drop ${model} to go on`,
    text: (run: string, model: string) =>
      `${run} was trained on ${model}, which is neither open nor kept on this device. The run goes on as soon as it is opened; a model with other files is not taken for it.`,
    opening: (model: string) => `Opening ${model} to go on …`,
    choose: 'Choose it in Model',
    cancel: 'Leave it',
  },
};

export const keeping = {
  heading: 'Kept on this device',
  used: (used: number, free: number | null) => `${bytes(used)} used${free === null ? '' : `, ${bytes(free)} free`}`,
  loading: 'Adding up what is kept …',
  nothing: 'Nothing is kept.',
  partNames,
  /** As they stand in a question. */
  allOf: { models: 'all kept models', datasets: 'all kept datasets', runs: 'all kept runs', other: 'all of this' } satisfies Record<
    StoragePart,
    string
  >,
  isOpen: 'open now',
  partHints,
  empty: 'Empty',
  emptyOf: (part: string) => `Empty ${part}`,
  emptyQuestion: (what: string, sizeBytes: number) => `Delete ${what} (${bytes(sizeBytes)}) for good?`,
  remove: 'Delete',
  removeOf: (title: string) => `Delete ${title}`,
  keep: 'Keep',
  openModel: 'Open',
  openModelOf: (name: string) => `Open ${name}`,
  persistent: 'The browser promised not to clear this by itself.',
  notPersistent: 'The browser may clear this by itself when the disk runs short.',
  askPersist: 'Ask it not to',
  persistRefused: 'The browser did not promise it. Browsers do for pages that are used often, bookmarked or installed.',
  keepModel: 'Keep this model here',
  keepModelHint: (size: number) => `Copies its files (${bytes(size)}) into this browser, so that it opens without being dropped again.`,
  keepingModel: (name: string) => `Copying ${name}`,
  isKept: 'Kept on this device: it opens without being dropped again.',
  seeKept: 'See what is kept',
  keptModels: 'Kept on this device',
  remembered: 'Opened before',
  rememberedHint: 'They are read where they lie; the browser asks for permission again.',
  forget: 'Forget',
  forgetOf: (name: string) => `Forget ${name}`,
};
