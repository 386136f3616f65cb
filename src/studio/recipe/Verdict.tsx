/** Method, memory and time of the recipe as one sentence, with the bytes by purpose and the way to check the device. */
import { useStore } from 'zustand';
import type { Recipe } from '#recipe/recipe.ts';
import { useStudio, useText } from '#studio/context.ts';
import { BudgetLine } from '#studio/model/BudgetLine.tsx';
import { Section } from '#studio/parts/Page.tsx';
import partClasses from '#studio/parts/parts.module.css';
import { PurposeBar } from '#studio/parts/PurposeBar.tsx';
import classes from '#studio/recipe/recipe.module.css';
import { useStepCount } from '#studio/recipe/use-step-count.ts';
import { verdictOf } from '#studio/stores/budget.ts';
import { expectedSeconds, paceKey } from '#studio/stores/pace.ts';
import { isActive } from '#studio/stores/run.ts';
import type { Text } from '#studio/text/en.ts';
import { bytes } from '#studio/text/format.ts';

export function Verdict() {
  const text = useText().recipe;
  const studio = useStudio();
  const estimate = useStore(studio.project, (project) => project.estimate);
  const { recipe, issues } = useStore(studio.project, (project) => project.recipe);
  const budget = useStore(studio.budget, (store) => store.budget);
  const isRunning = useStore(studio.run, ({ state }) => isActive(state));
  const steps = useStepCount();
  const time = useTime();
  if (recipe === null || estimate === null) {
    const isWrong = issues.some(({ field }) => !field.startsWith('mapping'));
    return (
      <Section title={text.verdict.heading}>
        <p className={isWrong ? classes.verdict : partClasses.muted}>{isWrong ? text.verdict.mending : text.verdict.none}</p>
      </Section>
    );
  }
  const verdict = verdictOf(estimate.totalBytes, budget);
  const method = text.verdict.method(recipe.lora_r, targetsOf(recipe, text));
  const isTooMuch = verdict.kind === 'tooMuch';
  return (
    <Section title={text.verdict.heading}>
      {isRunning && <p className={partClasses.muted}>{text.verdict.running}</p>}
      <p className={classes.verdict} data-verdict={isTooMuch ? 'tooMuch' : undefined} data-testid="recipe-verdict">
        {text.verdict.sentence(method, [text.verdict.need(verdict), time ?? text.verdict.noTime(estimate.steps)])}
      </p>
      <PurposeBar
        purposes={Object.keys(estimate.bytes).filter((name) => (estimate.bytes[name] ?? 0) > 0)}
        filled={estimate.bytes}
        totalBytes={estimate.totalBytes}
        figure={(name) => bytes(estimate.bytes[name] ?? 0)}
      />
      <BudgetLine needBytes={estimate.totalBytes} isSaid />
      <p className={classes.steps} data-testid="recipe-steps">
        {steps !== null && `${text.steps(steps, recipe.strategy === 'join', recipe.max_steps !== null)} `}
        {text.verdict.trainable(estimate.trainableParameters)}.
      </p>
    </Section>
  );
}

/** In words, from what the last run of this model measured on this device; null: it was never measured. */
function useTime(): string | null {
  const text = useText().recipe.verdict;
  const studio = useStudio();
  const device = useStore(studio.device, (store) => store.device);
  const modelKey = useStore(studio.model, (model) => model.opened?.summary.key);
  const recipe = useStore(studio.project, (project) => project.recipe.recipe);
  const rowLengths = useStore(studio.dataset, (dataset) => dataset.prepared?.rowLengths);
  const rates = useStore(studio.pace, (pace) => pace.rates);
  const steps = useStepCount();
  if (device.kind !== 'ready' || modelKey === undefined || recipe === null || rowLengths === undefined || steps === null) return null;
  const tokensPerSecond = rates[paceKey({ modelKey, device: device.summary, recompute: recipe.gradient_checkpointing })];
  return tokensPerSecond === undefined
    ? null
    : text.time(steps.steps, expectedSeconds(steps, rowLengths, tokensPerSecond), tokensPerSecond);
}

function targetsOf({ target_modules: targets }: Recipe, { verdict }: Text['recipe']): string {
  if (targets === 'all-linear') return verdict.allLinears;
  return targets === null ? verdict.peftLinears : verdict.someLinears(targets);
}
