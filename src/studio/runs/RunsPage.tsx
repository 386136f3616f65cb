/** Runs: those that are kept on this device, to go on with, extend or delete; beneath them all that is kept, and how much of it. */
import { lazy, Suspense, useEffect, useMemo, useState } from 'react';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import { ErrorNote, Note } from '#studio/parts/Note.tsx';
import { Notes, PageHeader, Section } from '#studio/parts/Page.tsx';
import partClasses from '#studio/parts/parts.module.css';
import { RunTable } from '#studio/runs/RunTable.tsx';
import { StorageSection } from '#studio/runs/StorageSection.tsx';
import { WaitingNote } from '#studio/runs/WaitingNote.tsx';

/** recharts is larger than the rest of the page together. */
const Comparison = lazy(async () => ({ default: (await import('#studio/runs/Comparison.tsx')).Comparison }));

export function RunsPage() {
  const text = useText();
  const studio = useStudio();
  const { runs, error, dismissError } = useStore(studio.runs);
  const [ids, setIds] = useState<readonly string[]>([]);
  const chosen = useMemo(() => ids.flatMap((id) => runs?.find((run) => run.id === id) ?? []), [ids, runs]);
  useEffect(() => {
    const { runs: store, keeping } = studio;
    const stop = store.subscribe((now, before) => {
      if (now.runs !== before.runs) void now.loadCurves();
    });
    void store.getState().refresh();
    void keeping.getState().refresh();
    return stop;
  }, [studio]);
  return (
    <>
      <PageHeader title={text.places.runs} lead={text.runs.lead} />
      <Notes>
        {error !== null && <ErrorNote error={error} onDismiss={dismissError} />}
        <WaitingNote />
        <Damaged />
      </Notes>
      <Section title={text.runs.heading}>
        {runs !== null && runs.length > 0 ? (
          <RunTable
            runs={runs}
            chosen={chosen.map(({ id }) => id)}
            onChoose={(id) => setIds((before) => (before.includes(id) ? before.filter((each) => each !== id) : [...before, id]))}
          />
        ) : (
          <p className={partClasses.muted}>{runs === null && error === null ? text.runs.loading : text.runs.none}</p>
        )}
      </Section>
      {chosen.length > 0 && (
        <Suspense fallback={<p className={partClasses.muted}>{text.train.charts.loading}</p>}>
          <Comparison runs={chosen} />
        </Suspense>
      )}
      <StorageSection />
    </>
  );
}

/** Files that were found to be other than they were written. */
function Damaged() {
  const text = useText();
  const studio = useStudio();
  const ofRuns = useStore(studio.runs, (runs) => runs.damaged);
  const ofModels = useStore(studio.keeping, (keeping) => keeping.damaged);
  const curves = useStore(studio.runs, (runs) => runs.curves);
  const damaged = [...ofRuns, ...Object.values(curves).flatMap((curve) => curve.damaged ?? []), ...ofModels];
  if (damaged.length === 0) return null;
  return (
    <Note
      tone="warning"
      title={text.runs.damagedHeading}
      text={damaged.map(text.train.resumed.damaged).join('\n')}
      action={text.runs.damagedText}
    />
  );
}
