/** The whole window takes files and folders. */
import { Dropzone } from '@mantine/dropzone';
import { useStudio, useText } from '#studio/context.ts';
import classes from '#studio/shell/shell.module.css';

export function WindowDrop() {
  const text = useText().drop;
  const studio = useStudio();
  return (
    <Dropzone.FullScreen
      onDrop={(files) => void studio.drop(files)}
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
