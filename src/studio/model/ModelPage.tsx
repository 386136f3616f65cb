/** Model: what is loaded and on what it computes; other models beside it. */
import { Button } from '@mantine/core';
import { useStore } from 'zustand';
import type { DeviceSummary } from '#protocol/trainer.ts';
import { useStudio, useText } from '#studio/context.ts';
import { BudgetLine } from '#studio/model/BudgetLine.tsx';
import classes from '#studio/model/model.module.css';
import { KeepModel, KeptModels } from '#studio/model/KeepModel.tsx';
import { WebGpuMissing } from '#studio/model/WebGpuMissing.tsx';
import { FilePick } from '#studio/parts/FilePick.tsx';
import { ErrorNote } from '#studio/parts/Note.tsx';
import { Facts, Notes, PageHeader, Section } from '#studio/parts/Page.tsx';
import partClasses from '#studio/parts/parts.module.css';
import { ProgressLine } from '#studio/parts/ProgressLine.tsx';
import { precisionOf } from '#studio/shell/rail-states.ts';
import type { OpenedModel } from '#studio/stores/model.ts';
import { bytes, count, parameters } from '#studio/text/format.ts';

export function ModelPage() {
  const text = useText();
  const studio = useStudio();
  const device = useStore(studio.device, (store) => store.device);
  const { opened, opening, error, cancel, dismissError } = useStore(studio.model);
  return (
    <>
      <PageHeader title={text.places.model} lead={text.model.lead} />
      {device.kind === 'missing' && <WebGpuMissing error={device.error} />}
      <Notes>
        {opening !== null && (
          <ProgressLine what={text.model.opening(opening.name)} progress={opening.progress} unit="bytes" onCancel={cancel} />
        )}
        {error !== null && <ErrorNote error={error} onDismiss={dismissError} />}
      </Notes>
      <div className={classes.columns}>
        <div>
          {opened !== null && <Loaded model={opened} />}
          {opened === null && opening === null && device.kind !== 'missing' && (
            <Section title={text.model.loadedHeading}>
              <p className={partClasses.muted}>{text.model.none}</p>
            </Section>
          )}
          {device.kind === 'ready' && <Device device={device.summary} />}
        </div>
        {device.kind === 'ready' && <OpenAnother isFirst={opened === null} />}
      </div>
    </>
  );
}

function Loaded({ model }: { model: OpenedModel }) {
  const { summary, tokenizer } = model;
  const text = useText().model;
  const { facts } = text;
  const figures: [string, string][] = [
    [facts.parameters, parameters(summary.parameterCount)],
    [facts.precision, precisionOf(summary.weightTypes)],
    [facts.context, text.tokens(summary.maxPositions)],
    [facts.deviceBytes, bytes(summary.weightBytes)],
  ];
  const types = Object.entries(summary.weightTypes).sort(([, a], [, b]) => b - a);
  return (
    <Section title={text.loadedHeading}>
      <p className={classes.name} data-testid="model-name">
        {summary.name}
      </p>
      <dl className={classes.figures}>
        {figures.map(([label, value]) => (
          <div key={label} className={classes.figure}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <Facts
        facts={[
          [facts.family, summary.architecture],
          [facts.layers, count(summary.layers)],
          [facts.hidden, count(summary.hiddenSize)],
          [facts.vocabulary, text.tokens(tokenizer.vocabSize)],
          [facts.precision, text.mixed(types)],
          [facts.chatTemplate, tokenizer.hasChatTemplate ? text.yes : text.no],
          [
            facts.linears,
            <span key="linears" className={classes.mono}>
              {summary.linearNames.join(', ')}
            </span>,
          ],
        ]}
      />
      <KeepModel model={model} />
    </Section>
  );
}

function Device({ device }: { device: DeviceSummary }) {
  const text = useText();
  const { deviceFacts } = text.model;
  const needBytes = useStore(useStudio().project, ({ estimate }) => estimate?.totalBytes ?? null);
  const has = (feature: string) => (device.features.includes(feature) ? text.model.yes : text.model.no);
  return (
    <Section title={text.model.deviceHeading}>
      <Facts
        facts={[
          [deviceFacts.adapter, text.device.name(device.vendor, device.architecture, device.description)],
          [deviceFacts.kind, device.isSoftware ? deviceFacts.cpu : deviceFacts.gpu],
          [deviceFacts.maxBuffer, bytes(device.maxBufferBytes)],
          [deviceFacts.maxBinding, bytes(device.maxBindingBytes)],
          [deviceFacts.f16, has('shader-f16')],
          [deviceFacts.subgroups, has('subgroups')],
        ]}
      />
      <p className={partClasses.small}>{device.isSoftware ? text.device.softwareLong : deviceFacts.memory}</p>
      <BudgetLine needBytes={needBytes} />
    </Section>
  );
}

function OpenAnother({ isFirst }: { isFirst: boolean }) {
  const text = useText().model;
  const studio = useStudio();
  const pick = (files: File[]): void => void studio.drop(files);
  return (
    <Section title={isFirst ? text.openFirstHeading : text.openHeading}>
      <div className={classes.ways}>
        <KeptModels />
        <div className={classes.way}>
          <FilePick accept={null} onPick={pick}>
            {text.folder}
          </FilePick>
          <p>{text.folderHint}</p>
        </div>
        <div className={classes.way}>
          <FilePick accept=".gguf" onPick={pick}>
            {text.gguf}
          </FilePick>
          <p>{text.ggufHint}</p>
        </div>
        <div className={classes.way}>
          <Button variant="default" onClick={() => void studio.openDemo({ model: true, data: false })}>
            {text.demo}
          </Button>
          <p>{text.demoHint}</p>
        </div>
        <p className={partClasses.small}>{text.local}</p>
      </div>
    </Section>
  );
}
