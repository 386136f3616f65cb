/** The numbers of the run, large: step, loss here and on held-out rows, rate, time left, memory, what is kept. */
import { useStore } from 'zustand';
import type { RunState } from '#protocol/trainer.ts';
import { useStudio, useText } from '#studio/context.ts';
import { isActive, type RunStore } from '#studio/stores/run.ts';
import classes from '#studio/train/train.module.css';
import { bytes, duration, loss, perplexity, rate } from '#studio/text/format.ts';

export function FactStrip() {
  const text = useText().train.facts;
  const studio = useStudio();
  const { state, latest, memory, evaluations, saved } = useStore(studio.run);
  const estimate = useStore(studio.project, (project) => project.estimate);
  const steps = stepsOf(state);
  const secondsLeft = state.kind === 'training' ? state.secondsLeft : null;
  const planned = estimate?.totalBytes;
  const isHeld = memory !== null && (isActive(state) || state.kind === 'done');
  const bestWords = ({ best }: NonNullable<RunStore['evaluations']>) => (best === null ? text.tooFew : text.best(best.lossNats, best.step));
  const figures: [label: string, value: string | null, unit: string][] = [
    [text.step, steps === null ? (estimate === null ? null : text.stepOf(0, estimate.steps)) : text.stepOf(steps.step, steps.steps), ''],
    [text.loss, latest === null ? null : loss(latest.lossNats), text.lossUnit],
    [text.validation, evaluations === null ? null : loss(evaluations.last.lossNats), evaluations === null ? '' : bestWords(evaluations)],
    [text.perplexity, latest === null ? null : perplexity(Math.exp(latest.lossNats)), ''],
    [text.rate, latest === null ? null : rate(latest.tokensPerSecond), ''],
    [text.left, secondsLeft === null ? null : duration(secondsLeft), ''],
    [
      text.memory,
      isHeld ? bytes(memory.liveBytes) : planned === undefined ? null : bytes(planned),
      isHeld ? text.held : planned === undefined ? '' : text.planned,
    ],
    [text.kept, saved === null ? null : text.keptAt(saved.step), typeof saved?.sizeBytes === 'number' ? bytes(saved.sizeBytes) : ''],
  ];
  return (
    <dl className={classes.strip} data-testid="figures">
      {figures.map(([label, value, unit]) => (
        <div key={label} className={classes.figure}>
          <dt>{label}</dt>
          <dd data-empty={value === null}>{value ?? text.none}</dd>
          <dd className={classes.figureUnit}>{unit}</dd>
        </div>
      ))}
    </dl>
  );
}

function stepsOf(state: RunState): { step: number; steps: number } | null {
  return 'steps' in state ? state : null;
}
