/** What can be done with a kept run: open its adapter, go on, train further, name it, delete it. */
import { Button } from '@mantine/core';
import { useStore } from 'zustand';
import type { RunSummary } from '#protocol/trainer.ts';
import { useStudio, useText } from '#studio/context.ts';
import { Confirm } from '#studio/parts/Confirm.tsx';
import partClasses from '#studio/parts/parts.module.css';
import { isActive } from '#studio/stores/run.ts';
import { lastCheckpoint } from '#studio/stores/runs.ts';

/** What stands open under the row of a run. */
export type Extra = 'further' | 'details';

interface RunActionsProps {
  run: RunSummary;
  /** The run that goes on now, or whose adapter is open. */
  isOpen: boolean;
  extra: Extra | null;
  onExtra: (extra: Extra | null) => void;
}

export function RunActions({ run, isOpen, extra, onExtra }: RunActionsProps) {
  const text = useText().runs;
  const studio = useStudio();
  const isBusy = useStore(studio.run, ({ state }) => isActive(state));
  const isOpening = useStore(studio.goingOn, ({ opening }) => opening !== null);
  const goOn = (isOpenedOnly: boolean): void => void studio.goingOn.getState().goOn({ run, isOpenedOnly });
  const isWhole = run.step >= run.steps;
  const isBlocked = isBusy || isOpening;
  const toggle = (which: Extra): void => onExtra(extra === which ? null : which);
  if (isOpen && isBusy) {
    return (
      <a className={partClasses.link} href="#train">
        {text.toTrain}
      </a>
    );
  }
  return (
    <div className={partClasses.noteButtons}>
      {!isWhole && (
        <Button variant="default" size="xs" aria-label={text.goOnOf(run.name)} disabled={isBlocked} onClick={() => goOn(false)}>
          {text.goOn}
        </Button>
      )}
      {!isOpen && lastCheckpoint(run) !== null && (
        <Button
          variant="default"
          size="xs"
          aria-label={text.reopenOf(run.name)}
          title={text.reopenHint}
          disabled={isBlocked}
          onClick={() => goOn(true)}
        >
          {text.reopen}
        </Button>
      )}
      {isWhole && (
        <Button variant="default" size="xs" aria-expanded={extra === 'further'} disabled={isBlocked} onClick={() => toggle('further')}>
          {text.further}
        </Button>
      )}
      <Button
        variant="default"
        size="xs"
        aria-label={text.detailsOf(run.name)}
        aria-expanded={extra === 'details'}
        onClick={() => toggle('details')}
      >
        {text.details}
      </Button>
      <Confirm
        label={text.remove}
        name={text.removeOf(run.name)}
        question={text.removeQuestion(run.sizeBytes)}
        keep={text.keep}
        onConfirm={() => {
          void studio.removeRun(run.id);
        }}
      />
    </div>
  );
}
