/** One row as the model sees it, and the way from row to row. */
import { ActionIcon } from '@mantine/core';
import { useEffect } from 'react';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import classes from '#studio/data/data.module.css';
import { TokenView } from '#studio/data/TokenView.tsx';
import { ArrowIcon } from '#studio/parts/icons.tsx';
import { Note } from '#studio/parts/Note.tsx';
import { Section } from '#studio/parts/Page.tsx';
import partClasses from '#studio/parts/parts.module.css';
import type { OpenedDataset } from '#studio/stores/dataset.ts';

export function RowPreview({ dataset }: { dataset: OpenedDataset }) {
  const text = useText().data.preview;
  const studio = useStudio();
  const { row, preview, previewError, showRow } = useStore(studio.dataset);
  const isModelOpen = useStore(studio.model, (model) => model.opened !== null);
  const mapping = useStore(studio.project, (project) => project.mapping);
  useArrowKeys((by) => studio.dataset.getState().showRow(studio.dataset.getState().row + by));
  return (
    <Section
      title={text.heading}
      extra={
        <div className={classes.rowBar}>
          <ActionIcon variant="default" aria-label={text.previous} disabled={row === 0} onClick={() => showRow(row - 1)}>
            <ArrowIcon direction="left" />
          </ActionIcon>
          <span className={classes.rowNumber} aria-live="polite">
            {text.row(row + 1, dataset.rowCount)}
          </span>
          <ActionIcon variant="default" aria-label={text.next} disabled={row + 1 >= dataset.rowCount} onClick={() => showRow(row + 1)}>
            <ArrowIcon direction="right" />
          </ActionIcon>
        </div>
      }
    >
      {!isModelOpen && <p className={partClasses.muted}>{text.waiting}</p>}
      {isModelOpen && mapping !== null && preview === null && previewError === null && <p className={partClasses.muted}>{text.making}</p>}
      {preview !== null && preview.skipped === null && <TokenView preview={preview} isStale={previewError !== null} />}
      {preview !== null && preview.skipped !== null && previewError === null && (
        <Note
          tone="warning"
          title={preview.skipped.why === 'missing' ? text.skipped.missing(preview.skipped.column) : text.skipped[preview.skipped.why]}
        />
      )}
      {preview?.isMerged === true && <p className={partClasses.small}>{text.merged}</p>}
      <p className={partClasses.small}>{text.keys}</p>
    </Section>
  );
}

/** Left and right go from row to row, except while something is typed or chosen. */
function useArrowKeys(go: (by: 1 | -1) => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const target = event.target instanceof Element ? event.target : null;
      if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      if (target?.closest('input, textarea, select, [contenteditable], [role="radiogroup"]')) return;
      if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
      event.preventDefault();
      go(event.key === 'ArrowLeft' ? -1 : 1);
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  });
}
