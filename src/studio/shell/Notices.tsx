/** What stands above every page: drops that could not be used or would cost something, and a project that could not be opened. */
import { Button } from '@mantine/core';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import { ErrorNote, Note } from '#studio/parts/Note.tsx';
import classes from '#studio/shell/shell.module.css';
import type { Place } from '#studio/stores/place.ts';

export function Notices({ place }: { place: Place }) {
  const text = useText();
  const studio = useStudio();
  const device = useStore(studio.device, (store) => store.device);
  const notice = useStore(studio.project, (project) => project.notice);
  const demoError = useStore(studio.project, (project) => project.demoError);
  return (
    <div className={classes.notices}>
      {device.kind === 'missing' && place !== 'model' && <ErrorNote error={device.error} />}
      {demoError !== null && <ErrorNote error={demoError} />}
      {notice?.kind === 'refused' && (
        <Note
          tone="error"
          title={text.notice.refused(notice.name)}
          text={text.notice.looksLike[notice.looksLike]}
          action={text.notice.looksLikeAction[notice.looksLike]}
        >
          <Button variant="default" size="xs" onClick={() => studio.dismissNotice()}>
            {text.dismiss}
          </Button>
        </Note>
      )}
      {notice?.kind === 'replaces' && (
        <Note tone="warning" title={text.notice.replaces(notice.model.name, notice.step)}>
          <Button variant="default" size="xs" onClick={() => void studio.replaceModel(notice.model)}>
            {text.notice.replace}
          </Button>
          <Button variant="default" size="xs" component="a" href="#export">
            {text.notice.download}
          </Button>
          <Button variant="default" size="xs" onClick={() => studio.dismissNotice()}>
            {text.notice.keep}
          </Button>
        </Note>
      )}
    </div>
  );
}
