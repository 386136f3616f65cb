/** How many held-out rows are answered while a run goes on. */
import { TextInput } from '@mantine/core';
import { useState } from 'react';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import { ANSWERED_ROWS, type RecipeOf } from '#studio/stores/drafts.ts';
import { FieldFrame } from '#studio/recipe/FieldFrame.tsx';

const VALUE = { kind: 'integer', min: 0, max: 1_000_000 } as const;

/** No field of the recipe: it changes what is shown, not what is trained. */
export function AnsweredRows({ of }: { of: RecipeOf }) {
  const text = useText().recipe;
  const { answeredRows, setAnsweredRows } = useStore(useStudio().drafts);
  const [typed, setTyped] = useState<string | null>(null);
  const rows = answeredRows[of];
  const info = { label: text.answeredRows, about: text.answeredRowsAbout, usual: String(ANSWERED_ROWS[of]), value: VALUE };
  const parsed = typed === null ? rows : Number(typed);
  const isWrong = !Number.isInteger(parsed) || parsed < 0 || typed?.trim() === '';
  return (
    <FieldFrame info={info} isChanged={rows !== ANSWERED_ROWS[of]} error={isWrong ? text.answeredRowsExpected : null}>
      {(id, description) => (
        <TextInput
          id={id}
          aria-describedby={description}
          size="xs"
          inputMode="numeric"
          autoComplete="off"
          error={isWrong}
          value={typed ?? String(rows)}
          onChange={(event) => {
            const next = event.currentTarget.value;
            setTyped(next);
            if (next.trim() !== '' && Number.isInteger(Number(next)) && Number(next) >= 0) setAnsweredRows(of, Number(next));
          }}
        />
      )}
    </FieldFrame>
  );
}
