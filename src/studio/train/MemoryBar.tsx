/** Bytes on the device by purpose, what is held against what the plan says. */
import { Checkbox } from '@mantine/core';
import { useStore } from 'zustand';
import type { Bytes } from '#protocol/trainer.ts';
import { RECIPE_FIELDS } from '#recipe/fields.ts';
import { useStudio, useText } from '#studio/context.ts';
import { BudgetLine } from '#studio/model/BudgetLine.tsx';
import { Section } from '#studio/parts/Page.tsx';
import partClasses from '#studio/parts/parts.module.css';
import { isActive } from '#studio/stores/run.ts';
import classes from '#studio/train/train.module.css';
import { bytes } from '#studio/text/format.ts';

/** Greys: memory has no status, and colour would only decorate. */
const SHADES = ['78%', '62%', '48%', '36%', '26%', '70%', '54%', '42%', '30%', '20%'];

/** The one setting that trades time for memory stands where memory is looked at. */
function Recompute() {
  const studio = useStudio();
  const isOn = useStore(studio.project, (project) => project.recipe.values.gradient_checkpointing === true);
  const { label, about } = RECIPE_FIELDS.gradient_checkpointing;
  return (
    <Checkbox
      className={classes.recompute}
      size="xs"
      label={label}
      description={about}
      checked={isOn}
      onChange={(event) => studio.setField('gradient_checkpointing', event.currentTarget.checked)}
    />
  );
}

export function MemoryBar() {
  const text = useText().train.memory;
  const studio = useStudio();
  const { plan, memory, state } = useStore(studio.run);
  const estimate = useStore(studio.project, (project) => project.estimate);
  const shown = isActive(state) || state.kind === 'done' ? (plan ?? estimate) : estimate;
  if (shown === null) {
    return (
      <Section title={text.heading}>
        <p className={partClasses.muted}>{text.none}</p>
      </Section>
    );
  }
  const live = memory?.live ?? {};
  const held = sumOf(live);
  const total = Math.max(shown.totalBytes, held, 1);
  const purposes = Object.keys({ ...shown.bytes, ...live }).filter((name) => (shown.bytes[name] ?? 0) + (live[name] ?? 0) > 0);
  const shadeOf = (name: string) => `color-mix(in srgb, var(--ink) ${SHADES[purposes.indexOf(name) % SHADES.length]}, var(--surface))`;
  return (
    <Section title={text.heading} extra={memory !== null && <span className={partClasses.small}>{text.peak(memory.peakBytes)}</span>}>
      <p className={partClasses.small}>{text.size(shown.steps, shown.trainableParameters)}</p>
      <BudgetLine needBytes={shown.totalBytes} />
      <div className={classes.bar} aria-hidden="true">
        {purposes
          .filter((name) => (live[name] ?? 0) > 0)
          .map((name) => (
            <div
              key={name}
              className={classes.part}
              title={`${text.purposes[name] ?? name}: ${bytes(live[name] ?? 0)}`}
              style={{ width: `${(100 * (live[name] ?? 0)) / total}%`, background: shadeOf(name) }}
            />
          ))}
        <div className={classes.part} data-kind="plan" style={{ width: `${(100 * Math.max(0, shown.totalBytes - held)) / total}%` }} />
      </div>
      <dl className={classes.purposes}>
        {purposes.map((name) => (
          <div key={name} className={classes.purpose}>
            <i style={{ background: shadeOf(name) }} />
            <dt>{text.purposes[name] ?? name}</dt>
            <dd>
              {bytes(live[name] ?? 0)} / {bytes(shown.bytes[name] ?? 0)}
            </dd>
          </div>
        ))}
      </dl>
      <Recompute />
    </Section>
  );
}

function sumOf(parts: Bytes): number {
  return Object.values(parts).reduce((sum, value) => sum + value, 0);
}
