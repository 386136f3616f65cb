/** Data: the prompt of one row first, then how it is made, what became of all rows, and the rows themselves. */
import { Button } from '@mantine/core';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import classes from '#studio/data/data.module.css';
import { MappingEditor } from '#studio/data/MappingEditor.tsx';
import { ReportView } from '#studio/data/ReportView.tsx';
import { RowPreview } from '#studio/data/RowPreview.tsx';
import { RowTable } from '#studio/data/RowTable.tsx';
import { FilePick } from '#studio/parts/FilePick.tsx';
import { ErrorNote } from '#studio/parts/Note.tsx';
import { Notes, PageHeader, Section } from '#studio/parts/Page.tsx';
import partClasses from '#studio/parts/parts.module.css';

export function DataPage() {
  const text = useText();
  const studio = useStudio();
  const { opened, opening, error, dismissError } = useStore(studio.dataset);
  return (
    <>
      <PageHeader
        title={text.places.data}
        lead={opened === null ? text.data.lead : text.data.sourceOf(opened.name, opened.rowCount, opened.heldOut)}
      >
        <FilePick accept=".json,.jsonl,.ndjson,.csv,.tsv" multiple onPick={(files) => void studio.drop(files)}>
          {text.data.choose}
        </FilePick>
        {opened?.isDemo !== true && (
          <Button variant="default" onClick={() => void studio.openDemo({ model: false, data: true })}>
            {text.data.demo}
          </Button>
        )}
      </PageHeader>
      <Notes>
        {opening !== null && <p className={partClasses.muted}>{text.data.opening(opening)}</p>}
        {error !== null && <ErrorNote error={error} onDismiss={dismissError} />}
        {opened === null && opening === null && <p className={partClasses.muted}>{text.data.none}</p>}
      </Notes>
      {opened !== null && (
        <>
          <div className={classes.columns}>
            <RowPreview dataset={opened} />
            <MappingEditor dataset={opened} />
          </div>
          <div className={classes.columns}>
            <Section title={text.data.table.heading}>
              <RowTable key={opened.id} dataset={opened} />
            </Section>
            <ReportView />
          </div>
        </>
      )}
    </>
  );
}
