/** Curves of several runs on one axis, each with its mark at its end. */
import {
  CartesianGrid,
  Line,
  LineChart,
  ResponsiveContainer,
  Tooltip,
  type TooltipContentProps,
  usePlotArea,
  useYAxisScale,
  XAxis,
  YAxis,
} from 'recharts';
import { useText } from '#studio/context.ts';
import { type CurveValue, overlaid, type OverlaidRow, spreadLabels } from '#studio/runs/comparison.ts';
import { markOf, runColour, runDash } from '#studio/runs/run-colours.ts';
import classes from '#studio/runs/comparison.module.css';
import { count, loss } from '#studio/text/format.ts';
import { shortNumber } from '#studio/train/Chart.tsx';

interface ComparisonChartProps {
  title: string;
  curves: readonly (readonly CurveValue[])[];
  empty: string;
}

const LABEL_HEIGHT = 14;

export function ComparisonChart({ title, curves, empty }: ComparisonChartProps) {
  const text = useText().train.charts;
  const rows = overlaid(curves);
  if (rows.length === 0) {
    return (
      <div className={classes.chart}>
        <p className={classes.empty}>{empty}</p>
      </div>
    );
  }
  const tick = { fill: 'var(--ink-2)', fontSize: 12 };
  return (
    <figure
      className={classes.chart}
      aria-label={text.label(title, rows.length)}
      data-curves={curves.filter(({ length }) => length > 0).length}
    >
      <ResponsiveContainer>
        <LineChart data={rows} syncId="compared" syncMethod="value" margin={{ top: 8, right: 24, bottom: 20, left: 0 }}>
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
          <YAxis domain={['auto', 'auto']} tickFormatter={shortNumber} tick={tick} tickLine={false} axisLine={false} width={48} />
          <Tooltip isAnimationActive={false} cursor={{ stroke: 'var(--ink-3)' }} content={<Reading />} />
          {curves.map((curve, i) => (
            <Line
              key={i}
              dataKey={`values.${i}`}
              stroke={runColour(i)}
              strokeDasharray={runDash(i)}
              strokeWidth={1.75}
              dot={curve.length < 40 ? { r: 2, fill: runColour(i), strokeWidth: 0 } : false}
              connectNulls
              isAnimationActive={false}
            />
          ))}
          <EndMarks curves={curves} />
        </LineChart>
      </ResponsiveContainer>
    </figure>
  );
}

/** The mark of each run where its curve ends, moved apart where ends meet. */
function EndMarks({ curves }: Pick<ComparisonChartProps, 'curves'>) {
  const plot = usePlotArea();
  const scale = useYAxisScale();
  if (plot === undefined || scale === undefined) return null;
  const ends = curves.flatMap((curve, i) => {
    const end = curve.at(-1);
    return end === undefined ? [] : [{ i, y: scale(end.lossNats) ?? 0 }];
  });
  const places = spreadLabels(
    ends.map(({ y }) => y),
    LABEL_HEIGHT,
    [plot.y, plot.y + plot.height],
  );
  return (
    <g>
      {ends.map(({ i }, at) => (
        <text key={i} className={classes.endMark} x={plot.x + plot.width + 8} y={places[at]} dy="0.35em" style={{ fill: runColour(i) }}>
          {markOf(i)}
        </text>
      ))}
    </g>
  );
}

/** recharts gives it the rest of its properties. */
function Reading({ active, payload }: Partial<TooltipContentProps>) {
  const text = useText().train.charts;
  const row = payload?.[0]?.payload as OverlaidRow | undefined;
  if (active !== true || row === undefined) return null;
  const values = Object.entries(row.values).map(([place, value]) => [Number(place), value] as const);
  return (
    <div className={classes.tooltip}>
      <div>
        {text.step} {count(row.step)}
      </div>
      {values.map(([i, value]) => (
        <div key={i}>
          <b style={{ color: runColour(i) }}>{markOf(i)}</b> {loss(value)}
        </div>
      ))}
    </div>
  );
}
