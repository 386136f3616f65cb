/** One quantity by step: each step faint, the smoothed line firm, held-out rows as points joined. One cursor reads every chart at once. */
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
import { clippedRange, type CurvePoint, type Quantity } from '#studio/train/curve-points.ts';
import { compact, count } from '#studio/text/format.ts';

export type Scale = 'linear' | 'log' | 'share';

export interface Curve {
  /** Null: measured on held-out rows alone. */
  quantity: Quantity | null;
  /** Whether a smoothed line says more than the steps themselves. */
  isSmoothed: boolean;
  validation: 'validationLossNats' | 'validationPerplexity' | 'accuracy' | null;
  /** Of its axis to begin with. `share`: from 0 to 1, as a linear scale, whatever is chosen. */
  scale: Scale;
  format: (value: number) => string;
  /** On the axis. */
  tick: (value: number) => string;
}

interface ChartProps {
  title: string;
  points: readonly CurvePoint[];
  curve: Curve;
  scale: Scale;
  isClipped: boolean;
  /** When its first point will come. */
  empty: string;
}

export function Chart({ title, points, curve, scale, isClipped, empty }: ChartProps) {
  const text = useText().train.charts;
  if (points.length === 0) {
    return (
      <div className={classes.chart}>
        <div className={classes.chartEmpty}>{empty}</div>
      </div>
    );
  }
  const { quantity, validation } = curve;
  const shown = points.map((point) => drawnOf(point, curve, scale));
  const tick = { fill: 'var(--ink-2)', fontSize: 12 };
  const best = validation === null ? undefined : shown.find(({ isBest }) => isBest === true);
  const isAlone = points.length === 1;
  const clipped = isClipped && scale !== 'share' ? clippedRange(valuesOf(shown)) : null;
  const raw = { strokeWidth: 1, stroke: curve.isSmoothed ? 'var(--accent-faint)' : 'var(--accent)' };
  return (
    <figure className={classes.chart} aria-label={text.label(title, points.length)} data-points={points.length}>
      <ResponsiveContainer>
        {/* A single point gives recharts ticks of one and the same key, which React would leave standing among those that come after. */}
        <LineChart key={isAlone ? 'point' : 'line'} data={shown} syncId="run" margin={{ top: 8, right: 8, bottom: 20, left: 0 }}>
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
            scale={scale === 'log' ? 'log' : 'linear'}
            domain={clipped ?? DOMAINS[scale]}
            ticks={scale === 'share' ? shareTicks(points) : undefined}
            tickFormatter={curve.tick}
            tick={tick}
            tickLine={false}
            axisLine={false}
            width={56}
            allowDataOverflow={clipped !== null}
          />
          <Tooltip isAnimationActive={false} cursor={{ stroke: 'var(--ink-3)' }} content={<Reading curve={curve} />} />
          {quantity !== null && <Line dataKey="raw" {...raw} dot={isAlone} isAnimationActive={false} />}
          {curve.isSmoothed && <Line dataKey="smooth" stroke="var(--accent)" strokeWidth={2} dot={isAlone} isAnimationActive={false} />}
          {validation !== null && (
            <Line
              dataKey="validation"
              stroke="var(--ink)"
              strokeWidth={1.5}
              dot={{ r: 2.5, fill: 'var(--ink)', strokeWidth: 0 }}
              activeDot={{ r: 4, fill: 'var(--ink)', strokeWidth: 0 }}
              connectNulls
              isAnimationActive={false}
            />
          )}
          {best !== undefined && (
            <ReferenceDot x={best.step} y={best.validation ?? undefined} r={6} fill="none" stroke="var(--ink)" strokeWidth={1.5} />
          )}
        </LineChart>
      </ResponsiveContainer>
    </figure>
  );
}

interface Drawn {
  step: number;
  firstStep: number;
  raw: number | null;
  smooth: number | null;
  validation: number | null;
  isBest?: boolean;
}

/** What is not finite has no place on an axis, and what is not above zero has none on a logarithmic one. */
function drawnOf({ step, firstStep, raw, smooth, isBest, ...point }: CurvePoint, { quantity, validation }: Curve, scale: Scale): Drawn {
  const placed = (value: number | undefined): number | null =>
    value === undefined || !Number.isFinite(value) || (scale === 'log' && value <= 0) ? null : value;
  return {
    step,
    firstStep,
    raw: quantity === null ? null : placed(raw[quantity]),
    smooth: quantity === null ? null : placed(smooth[quantity]),
    validation: validation === null ? null : placed(point[validation]),
    isBest,
  };
}

function valuesOf(shown: readonly Drawn[]): number[] {
  return shown.flatMap(({ raw, validation }) => [raw, validation]).filter((value) => value !== null);
}

const DOMAINS: Record<Scale, AxisDomain> = {
  linear: ['auto', 'auto'],
  log: [(min: number) => min * 0.95, 'auto'],
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
  const point = payload?.[0]?.payload as Drawn | undefined;
  if (active !== true || point === undefined) return null;
  const readings: [string, number | null][] = [
    [point.firstStep === point.step ? text.raw : text.extreme, point.raw],
    [text.smooth, curve.isSmoothed ? point.smooth : null],
    [text.validation, point.validation],
  ];
  return (
    <div className={classes.tooltip}>
      <div>{point.firstStep === point.step ? `${text.step} ${count(point.step)}` : text.steps(point.firstStep, point.step)}</div>
      {readings.map(([label, value]) =>
        value === null ? null : (
          <div key={label}>
            {label} {curve.format(value)}
          </div>
        ),
      )}
    </div>
  );
}
