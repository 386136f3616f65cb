/** Entry point of the page: starts the workers, makes the stores, draws the application. */
import '@mantine/core/styles.css';
import '@mantine/dropzone/styles.css';
import '#studio/tokens.css';
import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from '#studio/App.tsx';
import { startWorkers } from '#studio/clients.ts';
import { StudioContext } from '#studio/context.ts';
import { fetchDemoFile } from '#studio/demo.ts';
import { createPlaceStore } from '#studio/stores/place.ts';
import { createStudio } from '#studio/studio.ts';
import { resolveVariables, theme } from '#studio/theme.ts';

const colorScheme = localStorageColorSchemeManager({ key: 'loratory.color-scheme' });
const place = createPlaceStore(window);
const studio = createStudio({
  clients: startWorkers(),
  storage: localStorage,
  hasWebGpu: 'gpu' in navigator && navigator.gpu !== undefined,
  fetchDemoFile,
  goTo: (to) => {
    location.hash = to;
  },
});
void studio.begin();

const root = document.getElementById('root');
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <MantineProvider theme={theme} cssVariablesResolver={resolveVariables} colorSchemeManager={colorScheme} defaultColorScheme="auto">
        <StudioContext value={studio}>
          <App place={place} />
        </StudioContext>
      </MantineProvider>
    </StrictMode>,
  );
}
