/** Whether the end of a run is told through the system: asked for by this button, and by nothing else. */
import { Button } from '@mantine/core';
import { useStore } from 'zustand';
import type { StoreApi } from 'zustand/vanilla';
import { useStudio, useText } from '#studio/context.ts';
import partClasses from '#studio/parts/parts.module.css';
import type { EndNoticeStore } from '#studio/run-guard/end-notice.ts';
import { isActive } from '#studio/stores/run.ts';
import { useTabs } from '#studio/tabs/context.ts';

export function EndNoticeButton() {
  const endNotice = useStore(useTabs().store, (tabs) => tabs.endNotice);
  const isRunning = useStore(useStudio().run, ({ state }) => isActive(state));
  return endNotice === null || !isRunning ? null : <Toggle endNotice={endNotice} />;
}

function Toggle({ endNotice }: { endNotice: StoreApi<EndNoticeStore> }) {
  const text = useText().background.endNotice;
  const { permission, isOn, switchOn, switchOff } = useStore(endNotice);
  if (permission === 'none') return null;
  if (permission === 'denied') return <p className={partClasses.small}>{text.denied}</p>;
  return (
    <Button variant="subtle" color="gray" size="compact-sm" onClick={() => (isOn ? switchOff() : void switchOn())}>
      {isOn ? text.switchOff : text.switchOn}
    </Button>
  );
}
