/** What can be done with a kept run: go on, train further, open its adapter, delete it. */
import { Button } from '@mantine/core';
import { useStore } from 'zustand';
import type { RunSummary } from '#protocol/trainer.ts';
import { useStudio, useText } from '#studio/context.ts';
import { Confirm } from '#studio/parts/Confirm.tsx';
import partClasses from '#studio/parts/parts.module.css';
import { isActive } from '#studio/stores/run.ts';

interface RunActionsProps {
  run: RunSummary;
  /** The run that goes on now, or went last in this page. */
  isOpen: boolean;
  isExtending: boolean;
  onExtend: () => void;
}

export function RunActions({ run, isOpen, isExtending, onExtend }: RunActionsProps) {
  const text = useText().runs;
  const studio = useStudio();
  const isBusy = useStore(studio.run, ({ state }) => isActive(state));
  const isOpening = useStore(studio.goingOn, ({ opening }) => opening !== null);
  const goOn = (): void => void studio.goingOn.getState().goOn({ run });
  const isWhole = run.step >= run.steps;
  const isBlocked = isBusy || isOpening;
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
        <Button variant="default" size="xs" aria-label={text.goOnOf(run.name)} disabled={isBlocked} onClick={goOn}>
          {text.goOn}
        </Button>
      )}
      {isWhole && !isOpen && (
        <Button variant="default" size="xs" title={text.reopenHint} disabled={isBlocked} onClick={goOn}>
          {text.reopen}
        </Button>
      )}
      {isWhole && (
        <Button variant="default" size="xs" aria-expanded={isExtending} disabled={isBlocked} onClick={onExtend}>
          {text.further}
        </Button>
      )}
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
