/** What became of all rows: how many, how long, and what was found. */
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import classes from '#studio/data/data.module.css';
import { ErrorNote } from '#studio/parts/Note.tsx';
import { Facts, Section } from '#studio/parts/Page.tsx';
import partClasses from '#studio/parts/parts.module.css';
import { ProgressLine } from '#studio/parts/ProgressLine.tsx';
import type { Prepared } from '#studio/stores/dataset.ts';
import { count } from '#studio/text/format.ts';

export function ReportView() {
  const text = useText().data.report;
  const { prepared, preparing, prepareError, previewError } = useStore(useStudio().dataset);
  // The row above says the same, beside what has to be mended.
  const isSaidAbove = prepareError !== null && previewError?.message === prepareError.message;
  if (prepared === null && preparing === null && (prepareError === null || isSaidAbove)) return null;
  return (
    <Section title={text.heading}>
      {preparing !== null && <ProgressLine what={text.preparing} progress={preparing.progress} unit="rows" />}
      {prepareError !== null && !isSaidAbove && <ErrorNote error={prepareError} />}
      {prepared !== null && <Report prepared={prepared} />}
    </Section>
  );
}

function Report({ prepared: { report } }: { prepared: Prepared }) {
  const text = useText().data.report;
  const findings: { words: string; rows: number[] }[] = [];
  for (const { why, count: found, rows } of report.skipped) findings.push({ words: text.skipped[why](found), rows });
  if (report.truncatedRows.count > 0) findings.push({ words: text.truncated(report.truncatedRows.count), rows: report.truncatedRows.rows });
  if (report.mergedRows.count > 0) findings.push({ words: text.merged(report.mergedRows.count), rows: report.mergedRows.rows });
  // These are rows of the held-out file: the rows beside have other numbers.
  if (report.leakedRows.count > 0) findings.push({ words: text.leaked(report.leakedRows.count), rows: [] });
  return (
    <>
      <Facts
        facts={[
          [text.train, count(report.sequences)],
          [text.heldOut, text.heldOutOf(report.heldOutRows, report.validationRows, report.isTooFewToJudge)],
          ...(report.nearDuplicateRows.count > 0
            ? ([[text.duplicates, text.duplicatesOf(report.nearDuplicateRows.count, report.duplicateGroups)]] as const)
            : []),
          [text.tokens, count(report.tokens)],
          [text.lossTokens, count(report.lossTokens)],
          [text.lengths, text.lengthsOf(report.minTokens, report.medianTokens, report.maxTokens)],
        ]}
      />
      {findings.length === 0 ? (
        <p className={partClasses.small}>{text.noFindings}</p>
      ) : (
        <ul className={classes.findings} aria-label={text.findings}>
          {findings.map(({ words, rows }) => (
            <li key={words}>
              {words} <RowLinks rows={rows} />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

const LINKED_ROWS = 5;

function RowLinks({ rows }: { rows: readonly number[] }) {
  const text = useText().data.report;
  const studio = useStudio();
  return rows.slice(0, LINKED_ROWS).map((row) => (
    <button key={row} type="button" className={classes.rowLink} onClick={() => studio.dataset.getState().showRow(row)}>
      {text.showRow(row + 1)}
    </button>
  ));
}
