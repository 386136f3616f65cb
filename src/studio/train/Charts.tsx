/** The curves of a run: loss large; perplexity, token accuracy, gradient norm, learning rate and tokens per second beside and below. */
import { Button } from '@mantine/core';
import { useRef, useState, useSyncExternalStore } from 'react';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import { download } from '#studio/parts/download.ts';
import { Section } from '#studio/parts/Page.tsx';
import { isMeasured } from '#studio/stores/run.ts';
import { Chart, type Curve, shortNumber } from '#studio/train/Chart.tsx';
import { chartPng } from '#studio/train/chart-files.ts';
import { type ChartName, chartView } from '#studio/train/chart-view.ts';
import classes from '#studio/train/charts.module.css';
import { ChartTools } from '#studio/train/ChartTools.tsx';
import { curvePoints, type CurvePoint } from '#studio/train/curve-points.ts';
import { exponent, loss, perplexity, rate, share } from '#studio/text/format.ts';

const CURVES: Record<ChartName, Curve> = {
  loss: { quantity: 'lossNats', isSmoothed: true, validation: 'validationLossNats', scale: 'linear', format: loss, tick: shortNumber },
  perplexity: {
    quantity: 'perplexity',
    isSmoothed: true,
    validation: 'validationPerplexity',
    scale: 'log',
    format: perplexity,
    tick: shortNumber,
  },
  accuracy: {
    quantity: null,
    isSmoothed: false,
    validation: 'accuracy',
    scale: 'share',
    format: share,
    tick: (value) => `${Math.round(100 * value)}\u00a0%`,
  },
  gradientNorm: { quantity: 'gradientNorm', isSmoothed: true, validation: null, scale: 'linear', format: loss, tick: shortNumber },
  learningRate: { quantity: 'learningRate', isSmoothed: false, validation: null, scale: 'linear', format: exponent, tick: exponent },
  rate: { quantity: 'tokensPerSecond', isSmoothed: true, validation: null, scale: 'linear', format: rate, tick: shortNumber },
};
const ALL: readonly ChartName[] = ['loss', 'perplexity', 'accuracy', 'gradientNorm', 'learningRate', 'rate'];

export function Charts() {
  const studio = useStudio();
  const { series } = studio;
  useSyncExternalStore(
    (listener) => series.subscribe(listener),
    () => series.version,
  );
  const { smoothing, full } = useStore(chartView);
  const started = useStore(studio.run, (run) => run.started);
  const report = useStore(studio.dataset, (dataset) => dataset.prepared?.report ?? null);
  const hasValidation = series.lastEvaluation !== null || isMeasured(started, report);
  const points = curvePoints(series.steps, series.evaluations, { smoothing });
  const names = ALL.filter((name) => name !== 'accuracy' || hasValidation);
  const shown = full !== null && names.includes(full) ? [full] : names;
  return (
    <>
      <ChartTools hasPoints={points.length > 0} />
      <div className={classes.charts} data-full={shown.length === 1}>
        {shown.map((name) => (
          <ChartSection key={name} name={name} points={points} hasValidation={hasValidation} isFull={shown.length === 1} />
        ))}
      </div>
    </>
  );
}

interface ChartSectionProps {
  name: ChartName;
  points: readonly CurvePoint[];
  hasValidation: boolean;
  isFull: boolean;
}

function ChartSection({ name, points, hasValidation, isFull }: ChartSectionProps) {
  const text = useText().train.charts;
  const { series } = useStudio();
  const { isLog, isClipped } = useStore(chartView);
  const frame = useRef<HTMLDivElement>(null);
  const [hasFailed, setFailed] = useState(false);
  const curve = CURVES[name];
  const title = text[name];
  const isEmpty = curve.quantity === null && series.lastEvaluation === null;
  const save = async (): Promise<void> => {
    if (frame.current === null) return;
    try {
      download(`${name}.png`, await chartPng(frame.current, title), 'image/png');
      setFailed(false);
    } catch {
      setFailed(true);
    }
  };
  const extra = (
    <div className={classes.chartTools}>
      {hasFailed && <span className={classes.rule}>{text.pngFailed}</span>}
      <Button
        variant="subtle"
        color="gray"
        size="compact-xs"
        aria-label={text.pngOf(title)}
        disabled={isEmpty || points.length === 0}
        onClick={() => void save()}
      >
        {text.png}
      </Button>
      <Button
        variant="subtle"
        color="gray"
        size="compact-xs"
        aria-label={isFull ? text.allCharts : text.fullOf(title)}
        onClick={() => chartView.setState({ full: isFull ? null : name })}
      >
        {isFull ? text.allCharts : text.full}
      </Button>
    </div>
  );
  return (
    <Section title={title} extra={extra} className={name === 'loss' || isFull ? classes.large : undefined}>
      <div ref={frame}>
        <Chart
          title={title}
          points={isEmpty ? [] : points}
          curve={curve}
          scale={isLog && curve.scale !== 'share' ? 'log' : curve.scale}
          isClipped={isClipped}
          empty={curve.quantity === null ? text.emptyValidation : text.empty}
        />
      </div>
      {(name === 'loss' || isFull) && <Legend curve={curve} hasValidation={hasValidation} hasBest={series.bestEvaluation !== null} />}
    </Section>
  );
}

function Legend({ curve, hasValidation, hasBest }: { curve: Curve; hasValidation: boolean; hasBest: boolean }) {
  const text = useText().train.charts;
  const isMeasuredHere = hasValidation && curve.validation !== null;
  return (
    <div className={classes.legend}>
      {curve.quantity !== null && <span data-line={curve.isSmoothed ? 'raw' : 'smooth'}>{text.raw}</span>}
      {curve.isSmoothed && <span data-line="smooth">{text.smooth}</span>}
      {isMeasuredHere && <span data-line="validation">{text.validation}</span>}
      {isMeasuredHere && hasBest && <span data-line="best">{text.best}</span>}
    </div>
  );
}
