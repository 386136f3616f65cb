/** What is told of a run's curves and settings while it goes on, and what to do about it, in English. */
import { count, exponent, loss } from '#studio/text/format.ts';
import { plural } from '#studio/text/plural.ts';

export const runWarnings = {
  software: {
    title: 'This device computes on the CPU; a GPU would be many times faster.',
    action: 'If this machine has a GPU, switch on graphics acceleration in the browser’s settings and reload. Model says more.',
  },
  notFinite: {
    title: 'The loss or a gradient was not a number, so that step changed nothing and the run paused.',
    action: 'Stop, lower the learning rate and start again.',
  },
  diverging: (lowest: number, now: number) => ({
    title: `The loss diverges: smoothed it was ${loss(lowest)}, now it is ${loss(now)}.`,
    action: 'Stop, halve the learning rate or lengthen the warmup, and start again.',
  }),
  flat: (steps: number, from: number, now: number) => ({
    title: `The loss is flat: ${loss(from)} at first, ${loss(now)} after ${plural(steps, 'step')}.`,
    action: 'Raise the learning rate, and see in Data whether the marked part is what the model is to learn.',
  }),
  overFitting: (bestStep: number, best: number, now: number) => ({
    title: `The run over-fits: held-out rows were best at step ${count(bestStep)} (${loss(best)}) and are at ${loss(now)} now, while the training loss falls.`,
    action: 'Stop here. Next time train fewer epochs, add rows, or keep the best step (early stopping in the recipe).',
  }),
  unusualRate: (is: 'low' | 'high', rate: number, usual: number) => ({
    title: `A learning rate of ${exponent(rate)} is ${is} for a model of this size: ${exponent(usual)} is usual.`,
    action: is === 'high' ? 'Lower it if the loss rises or is not a number.' : 'Raise it if the loss hardly falls.',
  }),
  mostTruncated: (rows: number, of: number) => ({
    title: `Most rows are cut off at the longest sequence: ${count(rows)} of ${count(of)}. What is cut off is not learnt.`,
    action: 'Raise the longest sequence in the recipe, or shorten the rows.',
  }),
};
