/** Who works, for components. */
import { createContext, useContext } from 'react';
import { invariant } from '#base/errors.ts';
import type { Tabs } from '#studio/tabs/tabs.ts';

export const TabsContext = createContext<Tabs | null>(null);

export function useTabs(): Tabs {
  const tabs = useContext(TabsContext);
  invariant(tabs, 'a component stands outside of the tabs');
  return tabs;
}
