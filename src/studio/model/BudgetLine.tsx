/** Whether what is needed fits into the device: its budget as measured or said by hand, and the check that measures it. */
import { Button, TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import classes from '#studio/model/budget.module.css';
import { ErrorNote } from '#studio/parts/Note.tsx';
import { ProgressLine } from '#studio/parts/ProgressLine.tsx';
import { type BudgetVerdict, bytesOfGib, capOf, verdictOf } from '#studio/stores/budget.ts';
import { isActive } from '#studio/stores/run.ts';
import type { Text } from '#studio/text/en.ts';

/** `isSaid`: the verdict stands elsewhere on the page. */
export function BudgetLine({ needBytes, isSaid = false }: { needBytes: number | null; isSaid?: boolean }) {
  const text = useText().budget;
  const studio = useStudio();
  const { budget, checking, error, load, check, cancel, dismissError } = useStore(studio.budget);
  const device = useStore(studio.device, (store) => store.device);
  const isBusy = useStore(studio.run, ({ state }) => isActive(state));
  const isReady = device.kind === 'ready';
  useEffect(() => {
    if (isReady) void load();
  }, [isReady, load]);
  if (!isReady) return null;
  const verdict = verdictOf(needBytes, budget);
  const isKnown = budget !== null && budget.budgetBytes !== null;
  return (
    <div className={classes.budget}>
      {!isSaid && (
        <p className={classes.verdict} data-verdict={verdict.kind} data-testid="budget">
          {wordsOf(verdict, text.verdict)}
        </p>
      )}
      {checking !== null && <ProgressLine what={text.checking} progress={checking.progress} unit="bytes" onCancel={cancel} />}
      {error !== null && <ErrorNote error={error} onDismiss={dismissError} />}
      <div className={classes.ways}>
        <Button
          variant="default"
          size="xs"
          disabled={checking !== null || isBusy}
          title={text.checkHint}
          onClick={() => void check(capOf(device.summary, deviceMemoryGib()))}
        >
          {isKnown && !budget.setByUser ? text.checkAgain : text.check}
        </Button>
        <ByHand
          key={budget?.setByUser === true ? budget.budgetBytes : 'measured'}
          bytes={budget?.setByUser === true ? budget.budgetBytes : null}
        />
      </div>
    </div>
  );
}

/** Taken when it is left, or with Enter. */
function ByHand({ bytes }: { bytes: number | null }) {
  const text = useText().budget;
  const { set } = useStore(useStudio().budget);
  const [typed, setTyped] = useState(bytes === null ? '' : String(Number((bytes / 2 ** 30).toFixed(3))));
  const [isWrong, setWrong] = useState(false);
  const take = (): void => {
    const said = bytesOfGib(typed);
    setWrong(said === undefined);
    if (said !== undefined && said !== bytes) void set(said);
  };
  return (
    <TextInput
      className={classes.byHand}
      label={text.field}
      placeholder={text.fieldMeasured}
      size="xs"
      inputMode="decimal"
      autoComplete="off"
      value={typed}
      error={isWrong ? text.fieldExpected : undefined}
      onChange={(event) => setTyped(event.currentTarget.value)}
      onBlur={take}
      onKeyDown={(event) => {
        if (event.key === 'Enter') take();
      }}
    />
  );
}

function wordsOf(verdict: BudgetVerdict, text: Text['budget']['verdict']): string {
  switch (verdict.kind) {
    case 'nothing':
      return text.nothing;
    case 'unchecked':
      return text.unchecked(verdict.needBytes);
    case 'budget':
      return text.budget(verdict.budgetBytes, verdict.isLeast);
    default:
      return text[verdict.kind](verdict.needBytes, verdict.budgetBytes);
  }
}

/** A rough size, in Chromium's browsers alone. */
function deviceMemoryGib(): number | undefined {
  return (navigator as Navigator & { deviceMemory?: number }).deviceMemory;
}
