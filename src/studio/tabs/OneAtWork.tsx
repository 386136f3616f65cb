/** What stands in the page of a tab that looks on: a line that says so, and everything else with its controls off. */
import { Button } from '@mantine/core';
import { type ReactNode, useId } from 'react';
import { useStore } from 'zustand';
import { useText } from '#studio/context.ts';
import { Note } from '#studio/parts/Note.tsx';
import { Notes } from '#studio/parts/Page.tsx';
import { useTabs } from '#studio/tabs/context.ts';
import classes from '#studio/tabs/tabs.module.css';

export function OneAtWork({ children }: { children: ReactNode }) {
  const role = useStore(useTabs().store, (store) => store.role);
  const text = useText().tabs;
  const id = useId();
  if (role === 'working') return children;
  return (
    <>
      <output id={id} className={classes.line} data-testid="other-tab">
        <Notes>{role === 'vacant' ? <Vacant /> : <Note tone="plain" title={text.looking} />}</Notes>
      </output>
      <fieldset className={classes.off} disabled aria-label={text.controls} aria-describedby={id}>
        {children}
      </fieldset>
    </>
  );
}

function Vacant() {
  const text = useText().tabs;
  const tabs = useTabs();
  return (
    <Note tone="warning" title={text.vacant} action={text.vacantAction}>
      <Button size="xs" onClick={() => void tabs.takeOver()}>
        {text.takeOver}
      </Button>
    </Note>
  );
}
