/** How a row becomes a prompt: the mapping in one line that can be changed, and the template or the columns under it. */
import { Button, NativeSelect, Textarea } from '@mantine/core';
import { useRef } from 'react';
import { useStore } from 'zustand';
import type { AppError } from '#base/errors.ts';
import type { DataMapping, MappingGuess } from '#protocol/data.ts';
import { useStudio, useText } from '#studio/context.ts';
import classes from '#studio/data/data.module.css';
import { ErrorNote, Note } from '#studio/parts/Note.tsx';
import { Section } from '#studio/parts/Page.tsx';
import type { OpenedDataset } from '#studio/stores/dataset.ts';
import { datasetKey } from '#studio/studio.ts';

export function MappingEditor({ dataset }: { dataset: OpenedDataset }) {
  const text = useText().data.mapping;
  const studio = useStudio();
  const mapping = useStore(studio.project, (project) => project.mapping);
  const error = useStore(studio.dataset, (store) => store.previewError);
  const isChosen = useStore(studio.drafts, (drafts) => datasetKey(dataset) in drafts.mappings);
  const origin = isChosen ? text.chosen : dataset.isDemo ? text.shipped : text.guessed;
  return (
    <Section
      title={text.label}
      extra={
        isChosen && (
          <Button variant="default" size="xs" onClick={() => studio.resetMapping()}>
            {text.reset}
          </Button>
        )
      }
    >
      <div className={classes.stack}>
        {mapping === null && <Note tone="warning" title={text.unknown} />}
        <div className={classes.mappingLine}>
          <NativeSelect
            label={text.kindLabel}
            value={mapping?.mapping.kind ?? ''}
            data={[...(mapping === null ? [{ value: '', label: text.choose }] : []), ...kindChoices(text.kinds)]}
            onChange={(event) => {
              const kind = event.currentTarget.value as DataMapping['kind'];
              studio.setMapping(startOf(kind, dataset.columns));
            }}
          />
          {mapping !== null && mapping.mapping.kind !== 'text' && (
            <NativeSelect
              label={text.lossLabel}
              value={mapping.loss}
              data={[
                { value: 'answer', label: text.loss.answer },
                { value: 'all', label: text.loss.all },
              ]}
              onChange={(event) => studio.setMapping({ ...mapping, loss: event.currentTarget.value === 'all' ? 'all' : 'answer' })}
            />
          )}
          {mapping !== null && <span className={classes.mappingOrigin}>{origin}</span>}
        </div>
        {mapping !== null && <MappingFields dataset={dataset} mapping={mapping} error={error} />}
        {error !== null && <ErrorNote error={error} />}
      </div>
    </Section>
  );
}

interface FieldsProps {
  dataset: OpenedDataset;
  mapping: MappingGuess;
  error: AppError | null;
}

function MappingFields({ dataset, mapping: { mapping, loss }, error }: FieldsProps) {
  const text = useText().data.mapping;
  const studio = useStudio();
  const change = (changed: DataMapping) => studio.setMapping({ mapping: changed, loss });
  switch (mapping.kind) {
    case 'template':
      return (
        <TemplateField
          template={mapping.template}
          columns={dataset.columns}
          error={error}
          onChange={(template) => change({ kind: 'template', template })}
        />
      );
    case 'text':
    case 'messages':
      return (
        <ColumnField
          label={text.column}
          columns={dataset.columns}
          value={mapping.column}
          onChange={(column) => change({ kind: mapping.kind, column })}
        />
      );
    case 'turns':
      return (
        <div className={classes.mappingLine}>
          <ColumnField
            label={text.prompt}
            columns={dataset.columns}
            value={mapping.user[0] ?? ''}
            onChange={(column) => change({ ...mapping, user: [column, ...mapping.user.slice(1)] })}
          />
          <ColumnField
            label={text.completion}
            columns={dataset.columns}
            value={mapping.assistant}
            onChange={(assistant) => change({ ...mapping, assistant })}
          />
        </div>
      );
    case 'prompt-completion':
      return (
        <div className={classes.mappingLine}>
          <ColumnField
            label={text.prompt}
            columns={dataset.columns}
            value={mapping.prompt}
            onChange={(prompt) => change({ ...mapping, prompt })}
          />
          <ColumnField
            label={text.completion}
            columns={dataset.columns}
            value={mapping.completion}
            onChange={(completion) => change({ ...mapping, completion })}
          />
        </div>
      );
    default:
      return mapping satisfies never;
  }
}

interface ColumnFieldProps {
  label: string;
  columns: readonly string[];
  value: string;
  onChange: (column: string) => void;
}

function ColumnField({ label, columns, value, onChange }: ColumnFieldProps) {
  return <NativeSelect label={label} value={value} data={[...columns]} onChange={(event) => onChange(event.currentTarget.value)} />;
}

interface TemplateFieldProps {
  template: string;
  columns: readonly string[];
  error: AppError | null;
  onChange: (template: string) => void;
}

function TemplateField({ template, columns, error, onChange }: TemplateFieldProps) {
  const text = useText().data.template;
  const area = useRef<HTMLTextAreaElement>(null);
  const at = typeof error?.details.at === 'number' ? error.details.at : null;
  const insert = (column: string): void => {
    const [start, end] = [area.current?.selectionStart ?? template.length, area.current?.selectionEnd ?? template.length];
    onChange(`${template.slice(0, start)}{${column}}${template.slice(end)}`);
    area.current?.focus();
  };
  return (
    <div>
      <Textarea
        ref={area}
        classNames={{ root: classes.mono }}
        label={text.label}
        description={text.hint}
        value={template}
        error={at === null ? error !== null : text.at(at + 1)}
        autosize
        minRows={4}
        maxRows={16}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => onChange(event.currentTarget.value)}
      />
      {at !== null && <MarkedTemplate template={template} at={at} />}
      <div className={classes.chips}>
        {text.insert}
        {columns.map((column) => (
          <button key={column} type="button" className={classes.chip} onClick={() => insert(column)}>
            {column}
          </button>
        ))}
      </div>
    </div>
  );
}

/** The template's line with the character that the error is about. */
function MarkedTemplate({ template, at }: { template: string; at: number }) {
  const start = template.lastIndexOf('\n', at - 1) + 1;
  const lineEnd = template.indexOf('\n', at);
  const end = lineEnd < 0 ? template.length : lineEnd;
  return (
    <pre className={classes.marked} aria-hidden="true">
      {template.slice(start, at)}
      <mark>{template.slice(at, at + 1).trim() === '' ? ' ' : template.slice(at, at + 1)}</mark>
      {template.slice(at + 1, end)}
    </pre>
  );
}

function kindChoices(names: Record<DataMapping['kind'], string>): { value: string; label: string }[] {
  return Object.entries(names).map(([value, label]) => ({ value, label }));
}

/** A mapping of another kind to go on from, with the dataset's own columns in it. */
function startOf(kind: DataMapping['kind'], columns: readonly string[]): MappingGuess {
  const first = columns[0] ?? '';
  const second = columns[1] ?? first;
  switch (kind) {
    case 'template':
      return { mapping: { kind, template: first === second ? `{${first}}` : `{${first}}\n{${second}}` }, loss: 'answer' };
    case 'text':
      return { mapping: { kind, column: first }, loss: 'all' };
    case 'messages':
      return { mapping: { kind, column: first }, loss: 'answer' };
    case 'prompt-completion':
      return { mapping: { kind, prompt: first, completion: second }, loss: 'answer' };
    case 'turns':
      return { mapping: { kind, user: [first], assistant: second }, loss: 'answer' };
    default:
      return kind satisfies never;
  }
}
