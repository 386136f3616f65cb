/** Entry point of the page: asks which tab works, starts the workers there, makes the stores, draws the application. */
import '@mantine/core/styles.css';
import '@mantine/dropzone/styles.css';
import '#studio/tokens.css';
import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from '#studio/App.tsx';
import { startWorkers } from '#studio/clients.ts';
import { fetchDemoFile } from '#studio/demo.ts';
import { createEndNotice } from '#studio/run-guard/end-notice.ts';
import { guardRun } from '#studio/run-guard/guard.ts';
import { runWords } from '#studio/shell/rail-states.ts';
import { createPlaceStore } from '#studio/stores/place.ts';
import { createStudio } from '#studio/studio.ts';
import { openChannel } from '#studio/tabs/mirror.ts';
import { createOnlooker } from '#studio/tabs/onlooker.ts';
import { createTabs } from '#studio/tabs/tabs.ts';
import { TabsRoot } from '#studio/tabs/TabsRoot.tsx';
import { en } from '#studio/text/en.ts';
import { resolveVariables, theme } from '#studio/theme.ts';

const colorScheme = localStorageColorSchemeManager({ key: 'loratory.color-scheme' });
const place = createPlaceStore(window);
const tabs = createTabs({
  locks: navigator.locks ?? null,
  // Tabs of another build do not know what this one says: they see no run, and wait for their turn all the same.
  channel: openChannel(`loratory ${import.meta.url}`),
  createWorking() {
    const studio = createStudio({
      clients: startWorkers(),
      storage: localStorage,
      hasWebGpu: 'gpu' in navigator && navigator.gpu !== undefined,
      fetchDemoFile,
      goTo: (to) => {
        location.hash = to;
      },
    });
    const endNotice = createEndNotice({
      run: studio.run,
      notices: 'Notification' in window ? Notification : null,
      storage: localStorage,
      isSeen: () => document.visibilityState === 'visible' && document.hasFocus(),
      words: ({ state }) => ({ title: runWords({ state, latest: null }, en), body: en.background.endNotice.body }),
    });
    return { studio, endNotice, background: guardRun(studio.run, { sight: document, wakeLocks: navigator.wakeLock ?? null }) };
  },
  createOnlooker: (channel) => createOnlooker(channel, localStorage),
});
void tabs.begin();
keepOffline();

/** The built page works with no network after a first visit; without a service worker it works as it did. */
function keepOffline(): void {
  if (import.meta.env.PROD && 'serviceWorker' in navigator) navigator.serviceWorker.register('./sw.js').catch(() => undefined);
}

const root = document.getElementById('root');
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <MantineProvider theme={theme} cssVariablesResolver={resolveVariables} colorSchemeManager={colorScheme} defaultColorScheme="auto">
        <TabsRoot tabs={tabs}>
          <App place={place} />
        </TabsRoot>
      </MantineProvider>
    </StrictMode>,
  );
}
