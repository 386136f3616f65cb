/** How many steps a finished run is to have more. */
import { Button, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { RunSummary } from '#protocol/trainer.ts';
import { useStudio, useText } from '#studio/context.ts';
import partClasses from '#studio/parts/parts.module.css';
import classes from '#studio/runs/runs.module.css';

export function TrainFurther({ run, onDone }: { run: RunSummary; onDone: () => void }) {
  const text = useText().runs;
  const studio = useStudio();
  const [typed, setTyped] = useState(String(run.steps));
  const more = Number(typed);
  const isWrong = typed.trim() === '' || !Number.isInteger(more) || more < 1;
  const start = (): void => {
    if (isWrong) return;
    onDone();
    void studio.goingOn.getState().goOn({ run, maxSteps: run.step + more });
  };
  return (
    <form
      className={classes.further}
      onSubmit={(event) => {
        event.preventDefault();
        start();
      }}
    >
      <TextInput
        label={text.furtherBy}
        size="xs"
        inputMode="numeric"
        autoComplete="off"
        data-autofocus
        error={isWrong}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
      />
      <Button type="submit" size="xs" disabled={isWrong}>
        {text.furtherStart}
      </Button>
      <span className={partClasses.small}>{isWrong ? text.furtherExpected : text.furtherTo(run.step + more)}</span>
    </form>
  );
}
