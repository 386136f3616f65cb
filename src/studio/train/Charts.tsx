/** The curves of a run: loss large, perplexity beside it, token accuracy under that where held-out rows are measured. */
import { useSyncExternalStore } from 'react';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import { Section } from '#studio/parts/Page.tsx';
import { isMeasured } from '#studio/stores/run.ts';
import { Chart, type Curve, shortNumber } from '#studio/train/Chart.tsx';
import classes from '#studio/train/charts.module.css';
import { loss, perplexity, share } from '#studio/text/format.ts';

const LOSS: Curve = {
  raw: 'lossNats',
  smooth: 'smoothLossNats',
  validation: 'validationLossNats',
  scale: 'linear',
  format: loss,
  tick: shortNumber,
};
const PERPLEXITY: Curve = {
  raw: 'perplexity',
  smooth: 'smoothPerplexity',
  validation: 'validationPerplexity',
  scale: 'log',
  format: perplexity,
  tick: shortNumber,
};
const ACCURACY: Curve = {
  raw: null,
  smooth: null,
  validation: 'accuracy',
  scale: 'share',
  format: share,
  tick: (value) => `${Math.round(100 * value)}\u00a0%`,
};

export function Charts() {
  const text = useText().train.charts;
  const studio = useStudio();
  const { series } = studio;
  useSyncExternalStore(
    (listener) => series.subscribe(listener),
    () => series.version,
  );
  const started = useStore(studio.run, (run) => run.started);
  const report = useStore(studio.dataset, (dataset) => dataset.prepared?.report ?? null);
  const hasValidation = series.lastEvaluation !== null || isMeasured(started, report);
  const points = series.drawn();
  return (
    <div className={classes.charts} data-parts={hasValidation ? 3 : 2}>
      <Section title={text.loss}>
        <Chart title={text.loss} points={points} curve={LOSS} empty={text.empty} />
        <Legend hasValidation={hasValidation} hasBest={series.bestEvaluation !== null} />
      </Section>
      <Section title={text.perplexity}>
        <Chart title={text.perplexity} points={points} curve={PERPLEXITY} empty={text.empty} />
      </Section>
      {hasValidation && (
        <Section title={text.accuracy}>
          <Chart
            title={text.accuracy}
            points={series.lastEvaluation === null ? [] : points}
            curve={ACCURACY}
            empty={text.emptyValidation}
          />
        </Section>
      )}
    </div>
  );
}

function Legend({ hasValidation, hasBest }: { hasValidation: boolean; hasBest: boolean }) {
  const text = useText().train.charts;
  return (
    <div className={classes.legend}>
      <span data-line="raw">{text.raw}</span>
      <span data-line="smooth">{text.smooth}</span>
      {hasValidation && <span data-line="validation">{text.validation}</span>}
      {hasBest && <span data-line="best">{text.best}</span>}
    </div>
  );
}
