/** Bytes by purpose as one bar, with what each part is under it. */
import type { Bytes } from '#protocol/trainer.ts';
import { useText } from '#studio/context.ts';
import classes from '#studio/parts/purpose-bar.module.css';
import { bytes } from '#studio/text/format.ts';

/** Greys: memory has no status, and colour would only decorate. */
const SHADES = ['78%', '62%', '48%', '36%', '26%', '70%', '54%', '42%', '30%', '20%'];

interface PurposeBarProps {
  /** In the order of the parts. */
  purposes: readonly string[];
  filled: Bytes;
  /** The whole bar; what is not filled is hatched. */
  totalBytes: number;
  figure: (purpose: string) => string;
}

export function PurposeBar({ purposes, filled, totalBytes, figure }: PurposeBarProps) {
  const text = useText().train.memory;
  const total = Math.max(totalBytes, 1);
  const shadeOf = (name: string) => `color-mix(in srgb, var(--ink) ${SHADES[purposes.indexOf(name) % SHADES.length]}, var(--surface))`;
  const held = purposes.reduce((sum, name) => sum + (filled[name] ?? 0), 0);
  return (
    <>
      <div className={classes.bar} aria-hidden="true">
        {purposes
          .filter((name) => (filled[name] ?? 0) > 0)
          .map((name) => (
            <div
              key={name}
              className={classes.part}
              title={`${text.purposes[name] ?? name}: ${bytes(filled[name] ?? 0)}`}
              style={{ width: `${(100 * (filled[name] ?? 0)) / total}%`, background: shadeOf(name) }}
            />
          ))}
        <div className={classes.part} data-kind="plan" style={{ width: `${(100 * Math.max(0, totalBytes - held)) / total}%` }} />
      </div>
      <dl className={classes.purposes}>
        {purposes.map((name) => (
          <div key={name} className={classes.purpose}>
            <dt>
              <i style={{ background: shadeOf(name) }} />
              {text.purposes[name] ?? name}
            </dt>
            <dd>{figure(name)}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
