/** The studio of this tab for all components: its own, or that of the tab which is at work. */
import { Fragment, type ReactNode } from 'react';
import { useStore } from 'zustand';
import { StudioContext } from '#studio/context.ts';
import { TabsContext } from '#studio/tabs/context.ts';
import type { Tabs } from '#studio/tabs/tabs.ts';

/** Draws nothing while it is asked who works, which takes milliseconds. What components hold is of one studio, so another begins anew. */
export function TabsRoot({ tabs, children }: { tabs: Tabs; children: ReactNode }) {
  const { role, studio } = useStore(tabs.store);
  if (studio === null) return null;
  return (
    <TabsContext value={tabs}>
      <StudioContext value={studio}>
        <Fragment key={role === 'working' ? 'working' : 'looking'}>{children}</Fragment>
      </StudioContext>
    </TabsContext>
  );
}
