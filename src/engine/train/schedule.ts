/** The learning rate of each step. Knows no optimizer. */
import { unreachable } from '#base/errors.ts';
import type { SchedulerType } from '#recipe/recipe.ts';

export interface Schedule {
  type: SchedulerType;
  /** Steps of linear warmup from 0; `constant` has none. */
  warmupSteps: number;
  totalSteps: number;
  /** The rate after warmup. */
  peak: number;
}

/**
 * The rate of the update of `step`, counted from 0, in float64.
 * @source transformers.get_scheduler: get_constant_schedule, get_constant_schedule_with_warmup, get_linear_schedule_with_warmup,
 * get_cosine_schedule_with_warmup with half a cycle. Past totalSteps the cosine rises again, as there.
 */
export function learningRate(step: number, { type, warmupSteps, totalSteps, peak }: Schedule): number {
  if (type === 'constant') return peak;
  if (step < warmupSteps) return peak * (step / Math.max(1, warmupSteps));
  if (type === 'constant_with_warmup') return peak;
  const decaySteps = Math.max(1, totalSteps - warmupSteps);
  if (type === 'linear') return peak * Math.max(0, (totalSteps - step) / decaySteps);
  if (type === 'cosine') return peak * Math.max(0, 0.5 * (1 + Math.cos(Math.PI * ((step - warmupSteps) / decaySteps))));
  return unreachable(type);
}
