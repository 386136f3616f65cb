/** A kept run's name and note, to be changed, and its recipe, to start again from. */
import { Button, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { RunSummary } from '#protocol/trainer.ts';
import { useStudio, useText } from '#studio/context.ts';
import classes from '#studio/runs/runs.module.css';
import { startFromRecipe } from '#studio/runs/start-from-recipe.ts';

const MOST_CHARACTERS = 200;

export function RunDetails({ run, onDone }: { run: RunSummary; onDone: () => void }) {
  const text = useText().runs.edit;
  const studio = useStudio();
  const [name, setName] = useState(run.name);
  const [note, setNote] = useState(run.note);
  const isWrong = name.trim() === '' || name.trim().length > MOST_CHARACTERS;
  const save = async (): Promise<void> => {
    if (!isWrong && (await studio.runs.getState().rename(run.id, { name, note }))) onDone();
  };
  return (
    <form
      className={classes.details}
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <TextInput
        label={text.name}
        size="xs"
        autoComplete="off"
        error={isWrong && text.nameExpected}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <Textarea
        label={text.note}
        size="xs"
        autosize
        minRows={1}
        maxRows={8}
        value={note}
        onChange={(e) => setNote(e.currentTarget.value)}
      />
      <div className={classes.detailButtons}>
        <Button type="submit" size="xs" disabled={isWrong}>
          {text.save}
        </Button>
        <Button variant="default" size="xs" onClick={onDone}>
          {text.cancel}
        </Button>
        <Button
          variant="default"
          size="xs"
          className={classes.last}
          title={text.useRecipeHint}
          onClick={() => {
            startFromRecipe(studio, run);
            location.hash = 'train';
          }}
        >
          {text.useRecipe}
        </Button>
      </div>
    </form>
  );
}
