/** The strings of the device's memory budget in English. */
import { bytes } from '#studio/text/format.ts';

export const budget = {
  verdict: {
    nothing: 'What this device gives was not checked yet.',
    unchecked: (need: number) => `Needs ${bytes(need)}, not yet checked here.`,
    budget: (value: number, isLeast: boolean) => `Budget: ${isLeast ? 'at least ' : ''}${bytes(value)}.`,
    fits: (need: number, value: number) => `Needs ${bytes(need)}: fits (budget ${bytes(value)}).`,
    tooMuch: (need: number, value: number) => `Does not fit: needs ${bytes(need)}, the budget is ${bytes(value)}.`,
    beyond: (need: number, value: number) =>
      `Needs ${bytes(need)}: the check went up to ${bytes(value)} alone, and the device gave all of that.`,
  },
  check: 'Check this device',
  checkAgain: 'Check again',
  checking: 'Taking memory to see how much this device gives',
  checkHint: 'Takes memory until the device refuses, and gives it back. Other programs may stutter meanwhile.',
  field: 'Budget, GiB',
  fieldMeasured: 'as measured',
  fieldExpected: 'Expected: a number of GiB, such as 7.5; nothing: as measured.',
};
