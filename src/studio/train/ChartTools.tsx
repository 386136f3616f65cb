/** How the charts are looked at: smoothing, axes, and every step as a file. */
import { Button, Checkbox, Slider } from '@mantine/core';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import { download } from '#studio/parts/download.ts';
import { seriesCsv } from '#studio/train/chart-files.ts';
import { chartView } from '#studio/train/chart-view.ts';
import classes from '#studio/train/charts.module.css';

const MOST_SMOOTHING = 0.99;

export function ChartTools({ hasPoints }: { hasPoints: boolean }) {
  const text = useText().train.charts;
  const { series } = useStudio();
  const { smoothing, isLog, isClipped } = useStore(chartView);
  return (
    <fieldset className={classes.tools} aria-label={text.tools}>
      <div className={classes.smoothing}>
        <span>{text.smoothing}</span>
        <Slider
          size="xs"
          min={0}
          max={MOST_SMOOTHING}
          step={0.01}
          label={null}
          thumbLabel={text.smoothing}
          value={smoothing}
          onChange={(value) => chartView.setState({ smoothing: value })}
        />
        <span className={classes.smoothingValue}>{smoothing.toFixed(2)}</span>
      </div>
      <Checkbox
        size="xs"
        label={text.log}
        checked={isLog}
        onChange={(event) => chartView.setState({ isLog: event.currentTarget.checked })}
      />
      <Checkbox
        size="xs"
        label={text.clip}
        title={text.clipRule}
        checked={isClipped}
        onChange={(event) => chartView.setState({ isClipped: event.currentTarget.checked })}
      />
      {isClipped && <span className={classes.rule}>{text.clipRule}</span>}
      <Button
        className={classes.toolsEnd}
        variant="default"
        size="xs"
        disabled={!hasPoints}
        onClick={() => download('run.csv', seriesCsv(series.steps, series.evaluations), 'text/csv')}
      >
        {text.csv}
      </Button>
    </fieldset>
  );
}
