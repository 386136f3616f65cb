/** A curve the height of a line of text: its shape, without axes. */
import classes from '#studio/runs/runs.module.css';

const WIDTH = 96;
const HEIGHT = 20;

export function Spark({ values, label, isCurrent }: { values: readonly number[]; label: string; isCurrent: boolean }) {
  const finite = values.filter(Number.isFinite);
  if (finite.length < 2) return null;
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const y = (value: number) => (high === low ? HEIGHT / 2 : 1 + ((high - value) / (high - low)) * (HEIGHT - 2));
  const points = finite.map((value, i) => `${((i / (finite.length - 1)) * WIDTH).toFixed(1)},${y(value).toFixed(1)}`);
  return (
    <svg className={classes.spark} data-current={isCurrent} width={WIDTH} height={HEIGHT} role="img" aria-label={label}>
      <polyline points={points.join(' ')} />
    </svg>
  );
}
