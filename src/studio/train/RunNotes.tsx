/** What has to be said of the present run: a failure and what would fit, what could not be kept, a device that was lost. */
import { Button } from '@mantine/core';
import { useStore } from 'zustand';
import { fromWire } from '#base/errors.ts';
import type { Remedy } from '#protocol/trainer.ts';
import { useStudio, useText } from '#studio/context.ts';
import { ErrorNote, Note } from '#studio/parts/Note.tsx';
import { remedyWords } from '#studio/train/remedy-words.ts';
import classes from '#studio/train/train.module.css';

export function RunNotes() {
  const studio = useStudio();
  const { state, error } = useStore(studio.run);
  return (
    <>
      {error !== null && <ErrorNote error={error} />}
      {state.kind === 'failed' && error === null && <ErrorNote error={fromWire(state.error)} />}
      {state.kind === 'failed' && state.remedies.length > 0 && <Remedies remedies={state.remedies} />}
      <DeviceNotes />
      <NotSaved />
      <PassedOver />
    </>
  );
}

/** Each change as a sentence with its bytes, and one press that makes it. */
function Remedies({ remedies }: { remedies: readonly Remedy[] }) {
  const text = useText().train.remedies;
  const studio = useStudio();
  return (
    <Note tone="plain" title={text.heading}>
      <ul className={classes.remedies}>
        {remedies.map((remedy) => (
          <li key={JSON.stringify(remedy.change)}>
            <span>{remedyWords(remedy, text)}</span>
            <Button variant="default" size="xs" onClick={() => void studio.startWith(remedy.change)}>
              {text.apply}
            </Button>
          </li>
        ))}
      </ul>
    </Note>
  );
}

function DeviceNotes() {
  const text = useText().train.warnings;
  const studio = useStudio();
  const { state, saved, restored } = useStore(studio.run);
  const recovering = useStore(studio.device, (store) => store.recovering);
  if (state.kind === 'recovering') return <Note tone="plain" title={text.recovering(state.why, saved?.step ?? null)} />;
  if (recovering !== null) return <Note tone="plain" title={text.recoveringModel(recovering)} />;
  if (restored === null) return null;
  const { adapterStep } = restored;
  return (
    <Note
      tone={adapterStep === null ? 'warning' : 'plain'}
      title={adapterStep === null ? text.adapterLost : text.wentBackTo(adapterStep)}
    />
  );
}

function NotSaved() {
  const text = useText();
  const { keeping } = text.train;
  const { state, notSaved } = useStore(useStudio().run);
  if (notSaved === null) return null;
  const isPaused = state.kind === 'paused' && state.why === 'not-saved';
  return (
    <Note
      tone="warning"
      title={isPaused ? keeping.notSavedPaused(notSaved.step) : keeping.notSavedRunning}
      text={notSaved.error.message}
      action={isPaused ? keeping.notSavedPausedAction : keeping.notSavedRunningAction}
    >
      <Button variant="default" size="xs" component="a" href="#runs">
        {keeping.goToStorage}
      </Button>
    </Note>
  );
}

function PassedOver() {
  const text = useText().train.resumed;
  const resumed = useStore(useStudio().run, (run) => run.resumed);
  if (resumed === null || resumed.damaged.length === 0) return null;
  const { damaged, fromStep } = resumed;
  return <Note tone="warning" title={text.passedOver(damaged.length, fromStep)} text={damaged.map(text.damaged).join('\n')} />;
}
