/** The held-out rows: message, base, tuned, expected, and how many of them are answered exactly. */
import { Button, VisuallyHidden } from '@mantine/core';
import { useState } from 'react';
import { useStore } from 'zustand';
import type { Answer, AnswerReport } from '#protocol/trainer.ts';
import { useStudio, useText } from '#studio/context.ts';
import { Section } from '#studio/parts/Page.tsx';
import partClasses from '#studio/parts/parts.module.css';
import { plainPrompt } from '#studio/train/plain-prompt.ts';
import classes from '#studio/train/train.module.css';

/** Rows before "show all". */
const FIRST_ROWS = 12;

type Shown = Pick<Answer, 'row' | 'promptText' | 'expected'> & Partial<Answer>;

export function Answers() {
  const text = useText().train.answers;
  const studio = useStudio();
  const { firstAnswers, lastAnswers, started } = useStore(studio.run);
  const prepared = useStore(studio.dataset, (store) => store.prepared);
  const tokenizer = useStore(studio.model, (model) => model.opened?.tokenizer);
  const [isAll, setAll] = useState(false);
  const rows: readonly Shown[] = lastAnswers?.answers ?? started?.heldOut ?? prepared?.heldOut ?? [];
  if (rows.length === 0) {
    return (
      <Section title={text.heading}>
        <p className={partClasses.muted}>{prepared === null ? text.notYet : text.none}</p>
      </Section>
    );
  }
  const isTuned = lastAnswers !== null && lastAnswers.step > 0;
  return (
    <Section title={text.heading}>
      {firstAnswers !== null && lastAnswers !== null ? (
        <Score first={firstAnswers} last={lastAnswers} />
      ) : (
        <p className={partClasses.muted}>{text.waiting(rows.length)}</p>
      )}
      <table className={classes.answers}>
        <thead>
          <tr>
            <th scope="col">{text.message}</th>
            <th scope="col" data-side="base">
              {text.base}
            </th>
            <th scope="col" data-side="tuned">
              {text.tuned}
            </th>
            <th scope="col">{text.expected}</th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, isAll ? rows.length : FIRST_ROWS).map((row) => (
            <tr key={row.row}>
              <td>
                <CellLabel words={text.message} />
                <span>{plainPrompt(row.promptText, tokenizer?.bosToken ?? null)}</span>
              </td>
              <AnswerCell side="base" answer={row.base} isExact={row.isBaseExact} />
              <AnswerCell side="tuned" answer={isTuned ? row.tuned : undefined} isExact={row.isTunedExact} />
              <td data-mono="true">
                <CellLabel words={text.expected} />
                <span>{row.expected}</span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <div className={classes.more}>
        {rows.length > FIRST_ROWS && (
          <Button variant="default" size="xs" onClick={() => setAll(!isAll)}>
            {isAll ? text.fewer : text.all(rows.length)}
          </Button>
        )}
        <a className={partClasses.link} href="#chat">
          {text.own}
        </a>
      </div>
    </Section>
  );
}

function Score({ first, last }: { first: AnswerReport; last: AnswerReport }) {
  const text = useText().train.answers;
  if (last.step === 0) {
    return (
      <div data-testid="answers-line">
        <p className={classes.answersLine}>
          <span data-side="base">{text.lineBase(first.baseExact, first.total)}</span>
        </p>
        <p className={partClasses.small}>{text.exactBase}</p>
      </div>
    );
  }
  const [base, tuned] = text.lineParts(first.baseExact, last.tunedExact, last.total);
  return (
    <div data-testid="answers-line">
      <p className={classes.answersLine}>
        <span data-side="base">{base}</span>
        <span data-side="tuned">{tuned}</span>
      </p>
      <p className={partClasses.small}>{text.exact(last.step)}</p>
    </div>
  );
}

interface AnswerCellProps {
  side: 'base' | 'tuned';
  answer: string | undefined;
  isExact: boolean | undefined;
}

function AnswerCell({ side, answer, isExact }: AnswerCellProps) {
  const text = useText().train.answers;
  return (
    <td data-mono="true" data-side={side} data-exact={answer === undefined ? undefined : isExact}>
      <CellLabel words={text[side]} side={side} />
      {answer === undefined ? (
        <span>{text.pending}</span>
      ) : (
        <span>
          {isExact === true && (
            <span className={classes.check}>
              <span aria-hidden="true">✓</span>
              <VisuallyHidden>{text.isExact}</VisuallyHidden>
            </span>
          )}
          {answer.trim()}
        </span>
      )}
    </td>
  );
}

/** On a phone a row is a list of pairs. */
function CellLabel({ words, side }: { words: string; side?: 'base' | 'tuned' }) {
  return (
    <span className={classes.cellLabel} data-side={side} aria-hidden="true">
      {words}
    </span>
  );
}
