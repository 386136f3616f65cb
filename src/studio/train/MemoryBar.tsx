/** Bytes on the device by purpose, what is held against what the plan says. */
import { useStore } from 'zustand';
import type { Bytes } from '#protocol/trainer.ts';
import { useStudio, useText } from '#studio/context.ts';
import { BudgetLine } from '#studio/model/BudgetLine.tsx';
import { Section } from '#studio/parts/Page.tsx';
import partClasses from '#studio/parts/parts.module.css';
import { PurposeBar } from '#studio/parts/PurposeBar.tsx';
import { isActive } from '#studio/stores/run.ts';
import { bytes } from '#studio/text/format.ts';

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
  return (
    <Section title={text.heading} extra={memory !== null && <span className={partClasses.small}>{text.peak(memory.peakBytes)}</span>}>
      <p className={partClasses.small}>{text.size(shown.steps, shown.trainableParameters)}</p>
      <BudgetLine needBytes={shown.totalBytes} />
      <PurposeBar
        purposes={Object.keys({ ...shown.bytes, ...live }).filter((name) => (shown.bytes[name] ?? 0) + (live[name] ?? 0) > 0)}
        filled={live}
        totalBytes={Math.max(shown.totalBytes, sumOf(live))}
        figure={(name) => `${bytes(live[name] ?? 0)} / ${bytes(shown.bytes[name] ?? 0)}`}
      />
    </Section>
  );
}

function sumOf(parts: Bytes): number {
  return Object.values(parts).reduce((sum, value) => sum + value, 0);
}
