/** Loss and perplexity by step: each step faint, the smoothed line firm; one cursor reads both. */
import { useSyncExternalStore } from 'react';
import { CartesianGrid, Line, LineChart, ResponsiveContainer, Tooltip, type TooltipContentProps, XAxis, YAxis } from 'recharts';
import { useStudio, useText } from '#studio/context.ts';
import { Section } from '#studio/parts/Page.tsx';
import type { CurvePoint } from '#studio/train/metric-series.ts';
import classes from '#studio/train/train.module.css';
import { compact, count, loss, perplexity } from '#studio/text/format.ts';

interface Curve {
  raw: 'lossNats' | 'perplexity';
  smooth: 'smoothLossNats' | 'smoothPerplexity';
  scale: 'linear' | 'log';
  format: (value: number) => string;
}

const LOSS: Curve = { raw: 'lossNats', smooth: 'smoothLossNats', scale: 'linear', format: loss };
const PERPLEXITY: Curve = { raw: 'perplexity', smooth: 'smoothPerplexity', scale: 'log', format: perplexity };

export function Charts() {
  const text = useText().train.charts;
  const { series } = useStudio();
  useSyncExternalStore(
    (listener) => series.subscribe(listener),
    () => series.version,
  );
  const points = series.drawn();
  return (
    <div className={classes.charts}>
      <Section title={text.loss} extra={<Legend />}>
        <Chart title={text.loss} points={points} curve={LOSS} />
      </Section>
      <Section title={text.perplexity}>
        <Chart title={text.perplexity} points={points} curve={PERPLEXITY} />
      </Section>
    </div>
  );
}

function Legend() {
  const text = useText().train.charts;
  return (
    <div className={classes.legend}>
      <span data-faint="true">{text.raw}</span>
      <span>{text.smooth}</span>
    </div>
  );
}

function Chart({ title, points, curve }: { title: string; points: CurvePoint[]; curve: Curve }) {
  const text = useText().train.charts;
  if (points.length === 0) {
    return (
      <div className={classes.chart}>
        <div className={classes.chartEmpty}>{text.empty}</div>
      </div>
    );
  }
  const tick = { fill: 'var(--ink-2)', fontSize: 12 };
  return (
    <figure className={classes.chart} aria-label={text.label(title, points.length)} data-points={points.length}>
      <ResponsiveContainer>
        <LineChart data={points} syncId="run" margin={{ top: 8, right: 8, bottom: 20, left: 0 }}>
          <CartesianGrid stroke="var(--line)" vertical={false} />
          <XAxis
            dataKey="step"
            type="number"
            domain={[0, 'dataMax']}
            allowDecimals={false}
            tick={tick}
            tickLine={false}
            stroke="var(--line-2)"
            label={{ value: text.step, position: 'insideBottom', offset: -14, fill: 'var(--ink-2)', fontSize: 12 }}
          />
          <YAxis
            scale={curve.scale}
            domain={curve.scale === 'log' ? [logFloor, 'auto'] : ['auto', 'auto']}
            tickFormatter={shortNumber}
            tick={tick}
            tickLine={false}
            axisLine={false}
            width={44}
            allowDataOverflow={false}
          />
          <Tooltip isAnimationActive={false} cursor={{ stroke: 'var(--ink-3)' }} content={<Reading curve={curve} />} />
          <Line dataKey={curve.raw} stroke="var(--accent-faint)" strokeWidth={1} dot={points.length === 1} isAnimationActive={false} />
          <Line dataKey={curve.smooth} stroke="var(--accent)" strokeWidth={2} dot={points.length === 1} isAnimationActive={false} />
        </LineChart>
      </ResponsiveContainer>
    </figure>
  );
}

/** A perplexity is at least 1. */
function logFloor(min: number): number {
  return Math.max(1, min * 0.95);
}

function shortNumber(value: number): string {
  return value >= 1000 ? compact(value) : String(Number(value.toPrecision(3)));
}

/** recharts gives it the rest of its properties. */
function Reading({ active, payload, curve }: Partial<TooltipContentProps> & { curve: Curve }) {
  const text = useText().train.charts;
  const point = payload?.[0]?.payload as CurvePoint | undefined;
  if (active !== true || point === undefined) return null;
  return (
    <div className={classes.tooltip}>
      <div>
        {text.step} {count(point.step)}
      </div>
      <div>
        {text.raw} {curve.format(point[curve.raw])}
      </div>
      <div>
        {text.smooth} {curve.format(point[curve.smooth])}
      </div>
    </div>
  );
}
