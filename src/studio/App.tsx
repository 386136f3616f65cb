/** The application: the rail beside the page of the present place. Pages are loaded when they are first gone to. */
import { lazy, Suspense, type ReactNode } from 'react';
import type { StoreApi } from 'zustand';
import { useStore } from 'zustand';
import { useText } from '#studio/context.ts';
import { WindowDrop } from '#studio/drop/WindowDrop.tsx';
import partClasses from '#studio/parts/parts.module.css';
import { Notices } from '#studio/shell/Notices.tsx';
import { Appearance, Brand, Rail } from '#studio/shell/Rail.tsx';
import { RunTitle } from '#studio/run-guard/RunTitle.tsx';
import { RunAnnouncer } from '#studio/shell/RunAnnouncer.tsx';
import classes from '#studio/shell/shell.module.css';
import type { Place, PlaceStore } from '#studio/stores/place.ts';
import { OneAtWork } from '#studio/tabs/OneAtWork.tsx';

const ModelPage = lazy(async () => ({ default: (await import('#studio/model/ModelPage.tsx')).ModelPage }));
const DataPage = lazy(async () => ({ default: (await import('#studio/data/DataPage.tsx')).DataPage }));
const RecipePage = lazy(async () => ({ default: (await import('#studio/recipe/RecipePage.tsx')).RecipePage }));
const TrainPage = lazy(async () => ({ default: (await import('#studio/train/TrainPage.tsx')).TrainPage }));
const ChatPage = lazy(async () => ({ default: (await import('#studio/chat/ChatPage.tsx')).ChatPage }));
const RunsPage = lazy(async () => ({ default: (await import('#studio/runs/RunsPage.tsx')).RunsPage }));
const ExportPage = lazy(async () => ({ default: (await import('#studio/export/ExportPage.tsx')).ExportPage }));

const pages: Record<Place, ReactNode> = {
  model: <ModelPage />,
  data: <DataPage />,
  recipe: <RecipePage />,
  train: <TrainPage />,
  chat: <ChatPage />,
  export: <ExportPage />,
  runs: <RunsPage />,
};

export function App({ place: store }: { place: StoreApi<PlaceStore> }) {
  const text = useText();
  const place = useStore(store, (state) => state.place);
  return (
    <div className={classes.frame}>
      <a className={classes.skip} href="#main" onClick={focusMain}>
        {text.skipToContent}
      </a>
      <div className={classes.topBar}>
        <Brand />
        <Appearance />
      </div>
      <Rail place={place} />
      <main className={classes.main} id="main" tabIndex={-1}>
        <OneAtWork>
          <Notices place={place} />
          <Suspense fallback={<p className={partClasses.muted}>{text.loading}</p>}>{pages[place]}</Suspense>
        </OneAtWork>
      </main>
      <RunAnnouncer />
      <RunTitle />
      <WindowDrop />
    </div>
  );
}

/** The address keeps the place, so the jump must not become a part of it. */
function focusMain(event: { preventDefault(): void }): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}
