/** The chosen runs beside one another: their curves overlaid, what they came to, and in what their recipes differ. */
import { useEffect } from 'react';
import { useStore } from 'zustand';
import type { RunSummary } from '#protocol/trainer.ts';
import { useStudio, useText } from '#studio/context.ts';
import { Section } from '#studio/parts/Page.tsx';
import partClasses from '#studio/parts/parts.module.css';
import { type ComparedRun, differingFields } from '#studio/runs/comparison.ts';
import classes from '#studio/runs/comparison.module.css';
import { ComparisonChart } from '#studio/runs/ComparisonChart.tsx';
import { Mark } from '#studio/runs/Mark.tsx';
import { count, duration, exponent, loss } from '#studio/text/format.ts';

export function Comparison({ runs }: { runs: readonly RunSummary[] }) {
  const text = useText().runs.comparison;
  const studio = useStudio();
  const compared = useStore(studio.runs, (store) => store.compared);
  useEffect(() => {
    void studio.runs.getState().loadCompared(runs);
  }, [studio, runs]);
  const curves = runs.map(({ id }) => compared[id]);
  return (
    <>
      <div className={classes.charts}>
        <Section title={text.training}>
          <ComparisonChart title={text.training} curves={curves.map((run) => run?.training ?? [])} empty={text.loading} />
        </Section>
        <Section title={text.validation}>
          <ComparisonChart title={text.validation} curves={curves.map((run) => run?.validation ?? [])} empty={text.noValidation} />
        </Section>
      </div>
      <Section title={text.table}>
        <Figures runs={runs} curves={curves} />
      </Section>
    </>
  );
}

interface FiguresProps {
  runs: readonly RunSummary[];
  curves: readonly (ComparedRun | undefined)[];
}

function Figures({ runs, curves }: FiguresProps) {
  const text = useText().runs.comparison;
  const results: [label: string, values: (string | null)[]][] = [
    [text.steps, runs.map(({ step, steps }) => (step === steps ? count(step) : text.stepOf(step, steps)))],
    [text.lastLoss, curves.map((run) => (typeof run?.lastLossNats === 'number' ? loss(run.lastLossNats) : null))],
    [text.bestValidation, curves.map((run) => (run?.best ? text.best(run.best.lossNats, run.best.step) : null))],
    [text.time, curves.map((run) => (run === undefined || run.trainedSeconds === 0 ? null : duration(run.trainedSeconds)))],
  ];
  const fields = differingFields(runs);
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard
    <section className={classes.scroll} tabIndex={0} aria-label={text.table}>
      <table className={classes.table}>
        <thead>
          <tr>
            <th scope="col" aria-label={text.field} />
            {runs.map((run, i) => (
              <th key={run.id} scope="col">
                <Mark place={i} /> {run.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {results.map(([label, values]) => (
            <tr key={label}>
              <th scope="row">{label}</th>
              {runs.map(({ id }, i) => (
                <td key={id}>{values[i] ?? text.none}</td>
              ))}
            </tr>
          ))}
          {fields.map(({ field, label, values }, at) => (
            <tr key={field} data-first={at === 0}>
              <th scope="row">{label}</th>
              {runs.map(({ id }, i) => (
                <td key={id}>{valueWords(values[i], text.none)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {fields.length === 0 && <p className={partClasses.small}>{text.sameRecipe}</p>}
    </section>
  );
}

function valueWords(value: unknown, none: string): string {
  if (value === null || value === undefined) return none;
  if (typeof value === 'number') return Number.isInteger(value) ? count(value) : exponent(value);
  if (Array.isArray(value)) return value.join(', ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}
