/** Long work: what, how much of how much, rate, time left, and a way out. */
import { Button } from '@mantine/core';
import { useText } from '#studio/context.ts';
import classes from '#studio/parts/parts.module.css';
import type { Progress } from '#studio/stores/model.ts';

interface ProgressLineProps {
  what: string;
  progress: Progress | null;
  unit: 'bytes' | 'rows';
  onCancel?: () => void;
}

export function ProgressLine({ what, progress, unit, onCancel }: ProgressLineProps) {
  const text = useText().progress;
  const cancel = useText().cancel;
  const share = progress === null || progress.total === 0 ? 0 : progress.done / progress.total;
  return (
    <div className={classes.progress}>
      <div className={classes.progressLine}>
        <span>{what}</span>
        {progress !== null && (
          <span className={classes.progressNumbers}>
            {text[unit](progress.done, progress.total)}
            {progress.perSecond > 0 &&
              `, ${unit === 'bytes' ? text.bytesPerSecond(progress.perSecond) : text.rowsPerSecond(progress.perSecond)}`}
            {progress.secondsLeft !== null && `, ${text.left(progress.secondsLeft)}`}
          </span>
        )}
        {onCancel && (
          <Button className={classes.progressEnd} variant="default" size="xs" onClick={onCancel}>
            {cancel}
          </Button>
        )}
      </div>
      <progress className={classes.track} aria-label={what} max={1} value={share} />
    </div>
  );
}
