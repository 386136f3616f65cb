/** Train: the run's controls and numbers, its curves, its memory, and what base and tuned answer. */
import { lazy, Suspense } from 'react';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import { ErrorNote } from '#studio/parts/Note.tsx';
import { Notes, PageHeader } from '#studio/parts/Page.tsx';
import partClasses from '#studio/parts/parts.module.css';
import { BackgroundNote } from '#studio/run-guard/BackgroundNote.tsx';
import { EndNoticeButton } from '#studio/run-guard/EndNoticeButton.tsx';
import { WaitingNote } from '#studio/runs/WaitingNote.tsx';
import { Answers } from '#studio/train/Answers.tsx';
import { FactStrip } from '#studio/train/FactStrip.tsx';
import { Interrupted } from '#studio/train/Interrupted.tsx';
import { MemoryBar } from '#studio/train/MemoryBar.tsx';
import { RecipeSummary } from '#studio/train/RecipeSummary.tsx';
import { RunNotes } from '#studio/train/RunNotes.tsx';
import { RunControls } from '#studio/train/RunControls.tsx';
import classes from '#studio/train/train.module.css';
import { Warnings } from '#studio/train/Warnings.tsx';

/** recharts is larger than the rest of the page together. */
const Charts = lazy(async () => ({ default: (await import('#studio/train/Charts.tsx')).Charts }));

export function TrainPage() {
  const text = useText();
  const studio = useStudio();
  const estimateError = useStore(studio.project, (project) => project.estimateError);
  const isDemo = useStore(studio.model, (model) => model.opened?.isDemo === true);
  const rowCount = useStore(studio.dataset, ({ opened }) => (opened?.isDemo === true ? opened.rowCount : null));
  return (
    <>
      <PageHeader title={text.places.train} lead={isDemo && rowCount !== null ? text.train.demoLead(rowCount) : text.train.lead}>
        <EndNoticeButton />
        <RunControls />
      </PageHeader>
      <Notes>
        <Interrupted />
        <WaitingNote />
        <RunNotes />
        {estimateError !== null && <ErrorNote error={estimateError} />}
        <Warnings />
        <BackgroundNote />
      </Notes>
      <FactStrip />
      <div className={classes.columns}>
        <div>
          <Suspense fallback={<p className={partClasses.muted}>{text.train.charts.loading}</p>}>
            <Charts />
          </Suspense>
          <Answers />
        </div>
        <div>
          <RecipeSummary />
          <MemoryBar />
        </div>
      </div>
    </>
  );
}
