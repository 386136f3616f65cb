/** Export: the adapter as one folder, its files one by one, and the lines that load it elsewhere. */
import { Button, CopyButton } from '@mantine/core';
import { useStore } from 'zustand';
import type { NamedBytes } from '#protocol/trainer.ts';
import { useStudio, useText } from '#studio/context.ts';
import { folderName } from '#studio/export/adapter-folder.ts';
import type { MadeFiles } from '#studio/export/export-store.ts';
import classes from '#studio/export/export.module.css';
import { type Usage, usages } from '#studio/export/usage.ts';
import { download } from '#studio/parts/download.ts';
import { ErrorNote } from '#studio/parts/Note.tsx';
import { PageHeader, Section } from '#studio/parts/Page.tsx';
import partClasses from '#studio/parts/parts.module.css';
import { adapterStep } from '#studio/stores/run.ts';
import { bytes } from '#studio/text/format.ts';

export function ExportPage() {
  const text = useText();
  const studio = useStudio();
  const step = useStore(studio.run, (run) => adapterStep(run.state));
  const { made, isMaking, error, make } = useStore(studio.exports);
  const name = useStore(studio.model, (model) => model.opened?.summary.name ?? '');
  const hasAdapter = step !== null && step > 0;
  return (
    <>
      <PageHeader title={text.places.export} lead={text.export.lead}>
        {hasAdapter && (
          <Button variant={made === null ? 'filled' : 'default'} disabled={isMaking} onClick={() => void make()}>
            {made === null ? text.export.make : text.export.makeAgain}
          </Button>
        )}
      </PageHeader>
      {!hasAdapter && (
        <p className={partClasses.muted}>
          {text.export.none}{' '}
          <a className={partClasses.link} href="#train">
            {text.export.goTrain}
          </a>
        </p>
      )}
      {isMaking && <p className={partClasses.muted}>{text.export.making}</p>}
      {error !== null && <ErrorNote error={error} />}
      {made !== null && (
        <Section title={text.export.ofStep(made.step)}>
          <FileTable made={made} />
        </Section>
      )}
      {hasAdapter && (
        <Section title={text.export.usage}>
          <div className={classes.usages}>
            {usages(name, folderName(name)).map((usage) => (
              <UsageBlock key={usage.program} usage={usage} />
            ))}
          </div>
        </Section>
      )}
    </>
  );
}

function FileTable({ made: { files, zip } }: { made: MadeFiles }) {
  const text = useText().export;
  return (
    <table className={classes.table}>
      <thead>
        <tr>
          <th scope="col">{text.file}</th>
          <th scope="col" data-number="true">
            {text.size}
          </th>
          <th scope="col" className={classes.what}>
            {text.what}
          </th>
          <th scope="col" aria-label={text.downloadShort} />
        </tr>
      </thead>
      <tbody>
        <FileRow file={zip} about={text.about.folder} isWhole />
        {files.map((file) => (
          <FileRow key={file.path} file={file} about={text.about[file.path]} isWhole={false} />
        ))}
      </tbody>
    </table>
  );
}

function FileRow({ file, about, isWhole }: { file: NamedBytes; about: string | undefined; isWhole: boolean }) {
  const text = useText().export;
  return (
    <tr data-part={!isWhole}>
      <td>{file.path}</td>
      <td data-number="true">{bytes(file.bytes.byteLength)}</td>
      <td className={classes.what}>{about}</td>
      <td data-number="true">
        <Button
          variant={isWhole ? 'filled' : 'default'}
          size="xs"
          aria-label={text.download(file.path)}
          onClick={() => download(file.path, new Uint8Array(file.bytes))}
        >
          {text.downloadShort}
        </Button>
      </td>
    </tr>
  );
}

function UsageBlock({ usage: { program, code } }: { usage: Usage }) {
  const text = useText().export;
  const { title, hint } = text.programs[program];
  return (
    <div className={classes.usage}>
      <div className={classes.usageHead}>
        <h3 className={classes.usageTitle}>{title}</h3>
        <CopyButton value={code}>
          {({ copied, copy }) => (
            <Button variant="default" size="xs" aria-label={text.copyOf(title)} onClick={copy}>
              {copied ? text.copied : text.copy}
            </Button>
          )}
        </CopyButton>
      </div>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard */}
      <pre className={classes.code} tabIndex={0}>
        {code}
      </pre>
      <p className={partClasses.small}>{hint}</p>
    </div>
  );
}
