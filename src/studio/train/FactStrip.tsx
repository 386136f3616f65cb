/** The numbers of the run, large: step, loss, perplexity, rate, time left, memory. */
import { useStore } from 'zustand';
import type { RunState } from '#protocol/trainer.ts';
import { useStudio, useText } from '#studio/context.ts';
import { isActive } from '#studio/stores/run.ts';
import classes from '#studio/train/train.module.css';
import { bytes, duration, loss, perplexity, rate } from '#studio/text/format.ts';

export function FactStrip() {
  const text = useText().train.facts;
  const studio = useStudio();
  const { state, latest, memory } = useStore(studio.run);
  const estimate = useStore(studio.project, (project) => project.estimate);
  const steps = stepsOf(state);
  const secondsLeft = state.kind === 'training' ? state.secondsLeft : null;
  const planned = estimate?.totalBytes;
  const isHeld = memory !== null && (isActive(state) || state.kind === 'done');
  const figures: [label: string, value: string | null, unit: string][] = [
    [text.step, steps === null ? (estimate === null ? null : text.stepOf(0, estimate.steps)) : text.stepOf(steps.step, steps.steps), ''],
    [text.loss, latest === null ? null : loss(latest.lossNats), text.lossUnit],
    [text.perplexity, latest === null ? null : perplexity(Math.exp(latest.lossNats)), ''],
    [text.rate, latest === null ? null : rate(latest.tokensPerSecond), ''],
    [text.left, secondsLeft === null ? null : duration(secondsLeft), ''],
    [
      text.memory,
      isHeld ? bytes(memory.liveBytes) : planned === undefined ? null : bytes(planned),
      isHeld ? text.held : planned === undefined ? '' : text.planned,
    ],
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
