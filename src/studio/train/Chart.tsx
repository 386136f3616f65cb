/** One curve by step: each step faint, the smoothed line firm, held-out rows as points joined. One cursor reads every chart at once. */
import {
  type AxisDomain,
  CartesianGrid,
  Line,
  LineChart,
  ReferenceDot,
  ResponsiveContainer,
  Tooltip,
  type TooltipContentProps,
  XAxis,
  YAxis,
} from 'recharts';
import { useText } from '#studio/context.ts';
import classes from '#studio/train/charts.module.css';
import type { CurvePoint } from '#studio/train/metric-series.ts';
import { compact, count } from '#studio/text/format.ts';

export interface Curve {
  raw: 'lossNats' | 'perplexity' | null;
  smooth: 'smoothLossNats' | 'smoothPerplexity' | null;
  validation: 'validationLossNats' | 'validationPerplexity' | 'accuracy';
  /** `share`: from 0 to 1, as a linear scale. */
  scale: 'linear' | 'log' | 'share';
  format: (value: number) => string;
  /** On the axis. */
  tick: (value: number) => string;
}

interface ChartProps {
  title: string;
  points: CurvePoint[];
  curve: Curve;
  /** When its first point will come. */
  empty: string;
}

export function Chart({ title, points, curve, empty }: ChartProps) {
  const text = useText().train.charts;
  if (points.length === 0) {
    return (
      <div className={classes.chart}>
        <div className={classes.chartEmpty}>{empty}</div>
      </div>
    );
  }
  const tick = { fill: 'var(--ink-2)', fontSize: 12 };
  const best = points.find(({ isBest }) => isBest === true);
  const isAlone = points.length === 1;
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
            scale={curve.scale === 'log' ? 'log' : 'linear'}
            domain={DOMAINS[curve.scale]}
            ticks={curve.scale === 'share' ? shareTicks(points) : undefined}
            tickFormatter={curve.tick}
            tick={tick}
            tickLine={false}
            axisLine={false}
            width={44}
            allowDataOverflow={false}
          />
          <Tooltip isAnimationActive={false} cursor={{ stroke: 'var(--ink-3)' }} content={<Reading curve={curve} />} />
          {curve.raw !== null && (
            <Line dataKey={curve.raw} stroke="var(--accent-faint)" strokeWidth={1} dot={isAlone} isAnimationActive={false} />
          )}
          {curve.smooth !== null && (
            <Line dataKey={curve.smooth} stroke="var(--accent)" strokeWidth={2} dot={isAlone} isAnimationActive={false} />
          )}
          <Line
            dataKey={curve.validation}
            stroke="var(--ink)"
            strokeWidth={1.5}
            dot={{ r: 2.5, fill: 'var(--ink)', strokeWidth: 0 }}
            activeDot={{ r: 4, fill: 'var(--ink)', strokeWidth: 0 }}
            connectNulls
            isAnimationActive={false}
          />
          {best !== undefined && (
            <ReferenceDot x={best.step} y={best[curve.validation]} r={6} fill="none" stroke="var(--ink)" strokeWidth={1.5} />
          )}
        </LineChart>
      </ResponsiveContainer>
    </figure>
  );
}

const DOMAINS: Record<Curve['scale'], AxisDomain> = {
  linear: ['auto', 'auto'],
  // A perplexity is at least 1.
  log: [(min: number) => Math.max(1, min * 0.95), 'auto'],
  share: [(min: number) => shareFloor(min), 1],
};

/** The fifth below; all right is the most that an axis of shares shows. */
function shareFloor(min: number): number {
  return Math.max(0, Math.floor(min * 5 - 0.1) / 5);
}

function shareTicks(points: readonly CurvePoint[]): number[] {
  const low = shareFloor(Math.min(1, ...points.map(({ accuracy = 1 }) => accuracy)));
  const step = low > 0.5 ? 0.1 : 0.2;
  return Array.from({ length: Math.round((1 - low) / step) + 1 }, (_, i) => low + i * step);
}

export function shortNumber(value: number): string {
  return value >= 1000 ? compact(value) : String(Number(value.toPrecision(3)));
}

/** recharts gives it the rest of its properties. */
function Reading({ active, payload, curve }: Partial<TooltipContentProps> & { curve: Curve }) {
  const text = useText().train.charts;
  const point = payload?.[0]?.payload as CurvePoint | undefined;
  if (active !== true || point === undefined) return null;
  const readings: [string, number | undefined][] = [
    [text.raw, curve.raw === null ? undefined : point[curve.raw]],
    [text.smooth, curve.smooth === null ? undefined : point[curve.smooth]],
    [text.validation, point[curve.validation]],
  ];
  return (
    <div className={classes.tooltip}>
      <div>
        {text.step} {count(point.step)}
      </div>
      {readings.map(([label, value]) =>
        value === undefined ? null : (
          <div key={label}>
            {label} {curve.format(value)}
          </div>
        ),
      )}
    </div>
  );
}
