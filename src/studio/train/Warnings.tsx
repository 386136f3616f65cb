/** What a person would want to be told before or while a run goes on, in words, and what to do about it. */
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import { Note } from '#studio/parts/Note.tsx';
import classes from '#studio/parts/parts.module.css';
import { isActive } from '#studio/stores/run.ts';
import { diverging, flat, mostTruncated, overFitting, rateFarFromUsual, type RunWarning } from '#studio/train/run-warnings.ts';
import type { Text } from '#studio/text/en.ts';

export function Warnings() {
  const text = useText().train.warnings;
  const studio = useStudio();
  const state = useStore(studio.run, (run) => run.state);
  const started = useStore(studio.run, (run) => run.started);
  const isSoftware = useStore(studio.device, ({ device }) => device.kind === 'ready' && device.summary.isSoftware);
  const opened = useStore(studio.model, (model) => model.opened);
  const report = useStore(studio.dataset, (dataset) => dataset.prepared?.report ?? null);
  const nextRecipe = useStore(studio.project, (project) => project.recipe.recipe);
  // The latest metrics make this be looked at anew.
  useStore(studio.run, (run) => run.latest);
  const { steps, evaluations } = studio.series;
  const ofRun = state.kind === 'idle' ? [] : [diverging(steps), flat(steps), overFitting(steps, evaluations)];
  const recipe = isActive(state) && started !== null ? started.recipe : nextRecipe;
  const truncated = mostTruncated(report);
  const found = [...ofRun, rateFarFromUsual(recipe, opened?.summary.parameterCount ?? null), truncated].filter((each) => each !== null);
  const warnings = found.map((warning) => wordsOf(warning, text));
  if (state.kind === 'paused' && state.why === 'not-finite') warnings.unshift(text.notFinite);
  // The demo is small enough for a CPU; anything else is not.
  if (isSoftware && opened?.isDemo !== true) warnings.push(text.software);
  if (report !== null && truncated === null && report.truncatedRows.count > 0)
    warnings.push({ title: text.truncated(report.truncatedRows.count) });
  if (report !== null && report.mergedRows.count > 0) warnings.push({ title: text.merged(report.mergedRows.count) });
  if (warnings.length === 0) return null;
  return (
    <div className={classes.notes} aria-live="polite">
      {warnings.map(({ title, action }) => (
        <Note key={title} tone="warning" title={title} action={action} />
      ))}
    </div>
  );
}

interface Words {
  title: string;
  action?: string;
}

function wordsOf(warning: RunWarning, text: Text['train']['warnings']): Words {
  switch (warning.kind) {
    case 'diverging':
      return text.diverging(warning.lowest, warning.now);
    case 'flat':
      return text.flat(warning.steps, warning.from, warning.now);
    case 'overFitting':
      return text.overFitting(warning.bestStep, warning.best, warning.now);
    case 'unusualRate':
      return text.unusualRate(warning.is, warning.rate, warning.usual);
    case 'mostTruncated':
      return text.mostTruncated(warning.rows, warning.of);
    default:
      return warning satisfies never;
  }
}
