/** The whole window takes files and folders. */
import { Dropzone } from '@mantine/dropzone';
import { useEffect, useRef } from 'react';
import { useStudio, useText } from '#studio/context.ts';
import { droppedHandles, type PathHandle } from '#studio/drop/handles.ts';
import classes from '#studio/shell/shell.module.css';

export function WindowDrop() {
  const text = useText().drop;
  const studio = useStudio();
  // The dropzone tells files alone, and later; what reads them again another day has to be taken from the event itself.
  const handles = useRef<Promise<PathHandle[]>>(Promise.resolve([]));
  useEffect(() => {
    const take = ({ dataTransfer }: DragEvent): void => {
      handles.current = droppedHandles(dataTransfer?.items ?? []);
    };
    window.addEventListener('drop', take, { capture: true });
    return () => window.removeEventListener('drop', take, { capture: true });
  }, []);
  return (
    <Dropzone.FullScreen
      onDrop={(files) => {
        const taken = handles.current;
        handles.current = Promise.resolve([]);
        void studio.drop(files, taken);
      }}
      classNames={{ root: classes.dropRoot }}
      inputProps={{ 'aria-hidden': true }}
    >
      <div className={classes.dropInner}>
        <p className={classes.dropTitle}>{text.here}</p>
        <p className={classes.dropText}>{text.what}</p>
      </div>
    </Dropzone.FullScreen>
  );
}
