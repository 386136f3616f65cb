/** What a person would want to be told before or while a run goes on, in words. */
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import { Note } from '#studio/parts/Note.tsx';
import classes from '#studio/parts/parts.module.css';

export function Warnings() {
  const text = useText().train.warnings;
  const studio = useStudio();
  const state = useStore(studio.run, (run) => run.state);
  const isSoftware = useStore(studio.device, ({ device }) => device.kind === 'ready' && device.summary.isSoftware);
  const isDemo = useStore(studio.model, (model) => model.opened?.isDemo === true);
  const report = useStore(studio.dataset, (dataset) => dataset.prepared?.report);
  // The latest metrics make this be looked at anew.
  useStore(studio.run, (run) => run.latest);
  const warnings: string[] = [];
  if (state.kind === 'paused' && state.why === 'not-finite') warnings.push(text.notFinite);
  if (state.kind !== 'idle' && studio.series.isRising) warnings.push(text.rising);
  // The demo is small enough for a CPU; anything else is not.
  if (isSoftware && !isDemo) warnings.push(text.software);
  if (report !== undefined && report.truncatedRows.count > 0) warnings.push(text.truncated(report.truncatedRows.count));
  if (report !== undefined && report.mergedRows.count > 0) warnings.push(text.merged(report.mergedRows.count));
  if (warnings.length === 0) return null;
  return (
    <div className={classes.notes} aria-live="polite">
      {warnings.map((warning) => (
        <Note key={warning} tone="warning" title={warning} />
      ))}
    </div>
  );
}
