/** Export: the adapter's two files, and how to load them elsewhere. */
import { Button, CopyButton } from '@mantine/core';
import { useStore } from 'zustand';
import type { NamedBytes } from '#protocol/trainer.ts';
import { useStudio, useText } from '#studio/context.ts';
import classes from '#studio/export/export.module.css';
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
          <Button disabled={isMaking} onClick={() => void make()}>
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
          <FileTable files={made.files} />
        </Section>
      )}
      {hasAdapter && <Usage model={name} />}
    </>
  );
}

function FileTable({ files }: { files: NamedBytes[] }) {
  const text = useText().export;
  return (
    <table className={classes.table}>
      <thead>
        <tr>
          <th scope="col">{text.file}</th>
          <th scope="col">{text.size}</th>
          <th scope="col" className={classes.openedBy}>
            {text.opens}
          </th>
          <th scope="col" aria-label={text.downloadShort} />
        </tr>
      </thead>
      <tbody>
        {files.map((file) => (
          <tr key={file.path}>
            <td>{file.path}</td>
            <td>{bytes(file.bytes.byteLength)}</td>
            <td className={classes.openedBy}>{text.openedBy}</td>
            <td>
              <Button variant="default" size="xs" aria-label={text.download(file.path)} onClick={() => download(file)}>
                {text.downloadShort}
              </Button>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Through a link, as any download: the bytes are in this page already. */
function download({ path, bytes: content }: NamedBytes): void {
  const url = URL.createObjectURL(new Blob([new Uint8Array(content)], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = path;
  link.click();
  URL.revokeObjectURL(url);
}

function Usage({ model }: { model: string }) {
  const text = useText().export;
  const code = [
    'from peft import PeftModel',
    'from transformers import AutoModelForCausalLM',
    `model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(${JSON.stringify(model)}), "adapter")`,
  ].join('\n');
  return (
    <Section title={text.usage}>
      <div className={classes.codeFrame}>
        <p className={partClasses.small}>{text.usageHint}</p>
        {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard */}
        <pre className={classes.code} tabIndex={0}>
          {code}
        </pre>
        <CopyButton value={code}>
          {({ copied, copy }) => (
            <Button variant="default" size="xs" onClick={copy}>
              {copied ? text.copied : text.copy}
            </Button>
          )}
        </CopyButton>
      </div>
    </Section>
  );
}
