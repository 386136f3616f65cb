/** The kept runs as a table; on a phone as a list. */
import { Checkbox } from '@mantine/core';
import { useState } from 'react';
import { useStore } from 'zustand';
import type { RunSummary } from '#protocol/trainer.ts';
import { useStudio, useText } from '#studio/context.ts';
import { useNow } from '#studio/parts/use-now.ts';
import { Mark } from '#studio/runs/Mark.tsx';
import { type Extra, RunActions } from '#studio/runs/RunActions.tsx';
import { RunDetails } from '#studio/runs/RunDetails.tsx';
import classes from '#studio/runs/runs.module.css';
import { Spark } from '#studio/runs/Spark.tsx';
import { TrainFurther } from '#studio/runs/TrainFurther.tsx';
import { runWords } from '#studio/shell/rail-states.ts';
import { isActive } from '#studio/stores/run.ts';
import { lastCheckpoint } from '#studio/stores/runs.ts';
import { ago, bytes } from '#studio/text/format.ts';

interface RunTableProps {
  runs: readonly RunSummary[];
  /** The ids of those that are compared: the place of each is its colour. */
  chosen: readonly string[];
  onChoose: (id: string) => void;
}

export function RunTable({ runs, chosen, onChoose }: RunTableProps) {
  const text = useText().runs;
  const { columns } = text;
  return (
    <table className={classes.table}>
      <thead>
        <tr>
          <th scope="col">{columns.run}</th>
          <th scope="col">{columns.state}</th>
          <th scope="col">{columns.loss}</th>
          <th scope="col" data-number="true">
            {columns.size}
          </th>
          <th scope="col">{columns.when}</th>
          <th scope="col" aria-label={columns.actions} />
        </tr>
      </thead>
      <tbody>
        {runs.map((run) => (
          <Row key={run.id} run={run} place={chosen.indexOf(run.id)} onChoose={() => onChoose(run.id)} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ run, place, onChoose }: { run: RunSummary; place: number; onChoose: () => void }) {
  const text = useText().runs;
  const studio = useStudio();
  const isOpen = useStore(studio.run, ({ runId, state }) => runId === run.id && state.kind !== 'idle');
  const now = useNow();
  const [extra, setExtra] = useState<Extra | null>(null);
  const close = (): void => setExtra(null);
  return (
    <>
      <tr data-open={isOpen} data-run={run.id}>
        <td>
          <div className={classes.choice}>
            <Checkbox size="xs" aria-label={text.compareOf(run.name)} title={text.compareHint} checked={place >= 0} onChange={onChoose} />
            <div>
              <div className={classes.name}>
                {run.name} {place >= 0 && <Mark place={place} />}
              </div>
              <div className={classes.small}>{text.about(run.rowCount, run.recipe.lora_r, run.recipe.learning_rate)}</div>
              {run.note !== '' && <div className={classes.note}>{run.note}</div>}
            </div>
          </div>
        </td>
        <td>
          {isOpen ? <LiveState /> : <div>{text.states[run.state]}</div>}
          <div className={classes.small}>
            {!isOpen && `${text.stepOf(run.step, run.steps)}, `}
            {text.checkpoint(lastCheckpoint(run))}
          </div>
        </td>
        <LossCell run={run} isOpen={isOpen} />
        <td data-number="true">{bytes(run.sizeBytes)}</td>
        <td>
          <time dateTime={run.updatedAt} title={new Date(run.updatedAt).toLocaleString('en')}>
            {ago(run.updatedAt, now)}
          </time>
        </td>
        <td className={classes.actions}>
          <RunActions run={run} isOpen={isOpen} extra={extra} onExtra={setExtra} />
        </td>
      </tr>
      {extra !== null && (
        <tr className={classes.extra}>
          <td colSpan={6}>{extra === 'further' ? <TrainFurther run={run} onDone={close} /> : <RunDetails run={run} onDone={close} />}</td>
        </tr>
      )}
    </>
  );
}

/** Of the run that is open, what the trainer says and not what was last written down. */
function LiveState() {
  const text = useText();
  const { state, latest } = useStore(useStudio().run);
  return <div>{runWords({ state, latest: isActive(state) ? null : latest }, text)}</div>;
}

function LossCell({ run, isOpen }: { run: RunSummary; isOpen: boolean }) {
  const text = useText().runs;
  const studio = useStudio();
  const curve = useStore(studio.runs, (runs) => runs.curves[run.id]);
  const live = useStore(studio.run, ({ latest }) => (isOpen ? (latest?.lossNats ?? null) : null));
  const last = live ?? curve?.lastLossNats ?? null;
  const values = curve?.smoothLossNats ?? [];
  const best = curve?.best ?? null;
  return (
    <td>
      <div className={classes.loss}>
        <span>{last === null ? text.noLoss : text.loss(last)}</span>
        <Spark values={values} label={text.sparkLabel(values.length)} isCurrent={isOpen} />
      </div>
      {best !== null && <div className={classes.small}>{text.best(best.lossNats, best.step)}</div>}
    </td>
  );
}
