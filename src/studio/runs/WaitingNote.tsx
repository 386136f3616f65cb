/** A run that is to go on and has no model yet: which one to open. */
import { Button } from '@mantine/core';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import { ErrorNote, Note } from '#studio/parts/Note.tsx';

export function WaitingNote() {
  const text = useText().runs.waiting;
  const { waiting, opening, error, cancel } = useStore(useStudio().goingOn);
  return (
    <>
      {error !== null && <ErrorNote error={error} />}
      {opening !== null && (
        <Note tone="plain" title={text.opening(opening.run.modelName)}>
          <Button variant="default" size="xs" onClick={cancel}>
            {text.cancel}
          </Button>
        </Note>
      )}
      {waiting !== null && (
        <Note tone="plain" title={text.title(waiting.run.modelName)} text={text.text(waiting.run.name, waiting.run.modelName)}>
          <Button variant="default" size="xs" component="a" href="#model">
            {text.choose}
          </Button>
          <Button variant="default" size="xs" onClick={cancel}>
            {text.cancel}
          </Button>
        </Note>
      )}
    </>
  );
}
