/** Kept on this device: how much, of what, and the way to empty it. */
import { Button } from '@mantine/core';
import { useStore } from 'zustand';
import type { StoragePart, StorageReport } from '#protocol/trainer.ts';
import { useStudio, useText } from '#studio/context.ts';
import { Confirm } from '#studio/parts/Confirm.tsx';
import { ErrorNote } from '#studio/parts/Note.tsx';
import { Section } from '#studio/parts/Page.tsx';
import partClasses from '#studio/parts/parts.module.css';
import classes from '#studio/runs/runs.module.css';
import { isActive } from '#studio/stores/run.ts';
import { bytes } from '#studio/text/format.ts';

export function StorageSection() {
  const text = useText().keeping;
  const { report, unavailable, error, dismissError } = useStore(useStudio().keeping);
  return (
    <Section
      title={text.heading}
      extra={report !== null && <span className={partClasses.small}>{text.used(report.usedBytes, report.freeBytes)}</span>}
    >
      {unavailable !== null && <ErrorNote error={unavailable} />}
      {error !== null && <ErrorNote error={error} onDismiss={dismissError} />}
      {report === null && unavailable === null && <p className={partClasses.muted}>{text.loading}</p>}
      {report !== null && <Parts report={report} />}
      {report !== null && <Persistence isPersistent={report.isPersistent} />}
    </Section>
  );
}

function Parts({ report }: { report: StorageReport }) {
  const text = useText().keeping;
  const filled = report.parts.filter(({ sizeBytes, items }) => sizeBytes > 0 || items.length > 0);
  if (filled.length === 0) return <p className={partClasses.muted}>{text.nothing}</p>;
  return (
    <ul className={classes.parts}>
      {filled.map((part) => (
        <Part key={part.part} part={part} />
      ))}
    </ul>
  );
}

function Part({ part: { part, sizeBytes, items } }: { part: StorageReport['parts'][number] }) {
  const text = useText().keeping;
  const studio = useStudio();
  const isBusy = useStore(studio.run, ({ state }) => isActive(state));
  const name = text.partNames[part];
  return (
    <li className={classes.part}>
      <div className={classes.partLine}>
        <span className={classes.name}>{name}</span>
        <span className={classes.partHint}>{text.partHints[part]}</span>
        <span className={classes.partSize}>{bytes(sizeBytes)}</span>
        <Confirm
          label={text.empty}
          name={text.emptyOf(name)}
          question={text.emptyQuestion(text.allOf[part], sizeBytes)}
          keep={text.keep}
          disabled={isBusy}
          onConfirm={() => void studio.emptyStorage(part)}
        />
      </div>
      {/* Each run has its row in the table above. */}
      {part !== 'runs' && items.map((item) => <Item key={item.name} part={part} item={item} isBusy={isBusy} />)}
    </li>
  );
}

interface ItemProps {
  part: StoragePart;
  item: StorageReport['parts'][number]['items'][number];
  isBusy: boolean;
}

function Item({ part, item: { name, title, sizeBytes }, isBusy }: ItemProps) {
  const text = useText().keeping;
  const studio = useStudio();
  const kept = useStore(studio.keeping, ({ models }) => (part === 'models' ? models.find(({ key }) => key === name) : undefined));
  const isOpen = useStore(studio.model, ({ opened }) => kept !== undefined && opened?.summary.key === kept.key);
  return (
    <div className={classes.partLine} data-item="true">
      <span className={classes.itemTitle}>{title}</span>
      {kept !== undefined && !isOpen && (
        <Button
          variant="default"
          size="xs"
          aria-label={text.openModelOf(title)}
          disabled={isBusy}
          onClick={() => void studio.openKeptModel(kept.key)}
        >
          {text.openModel}
        </Button>
      )}
      {isOpen && <span className={partClasses.small}>{text.isOpen}</span>}
      <span className={classes.partSize}>{bytes(sizeBytes)}</span>
      <Confirm
        label={text.remove}
        name={text.removeOf(title)}
        question={text.emptyQuestion(title, sizeBytes)}
        keep={text.keep}
        disabled={isBusy}
        onConfirm={() => void studio.emptyStorage(part, name)}
      />
    </div>
  );
}

/** Null: the browser does not say. */
function Persistence({ isPersistent }: Pick<StorageReport, 'isPersistent'>) {
  const text = useText().keeping;
  const { persist, isPersistRefused } = useStore(useStudio().keeping);
  if (isPersistent === null) return null;
  if (isPersistent) return <p className={partClasses.small}>{text.persistent}</p>;
  return (
    <div className={classes.persistence}>
      <span className={partClasses.small}>{isPersistRefused ? `${text.notPersistent} ${text.persistRefused}` : text.notPersistent}</span>
      <Button variant="default" size="xs" onClick={() => void persist()}>
        {text.askPersist}
      </Button>
    </div>
  );
}
