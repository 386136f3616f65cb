/** One field of the recipe, by its kind. Label, range and words come from the recipe's schema. */
import { Checkbox, NativeSelect, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useStore } from 'zustand';
import { RECIPE_FIELDS } from '#recipe/fields.ts';
import { unusualRate, usualRate } from '#recipe/presets.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { useStudio, useText } from '#studio/context.ts';
import { FieldFrame } from '#studio/recipe/FieldFrame.tsx';
import { NumberField } from '#studio/recipe/NumberField.tsx';
import { TargetModules } from '#studio/recipe/TargetModules.tsx';

export function RecipeField({ field }: { field: keyof Recipe }) {
  const text = useText().recipe;
  const studio = useStudio();
  const value = useStore(studio.project, (project) => project.recipe.values[field]);
  const isChanged = useStore(studio.project, (project) => project.recipe.changed.includes(field));
  const issue = useStore(studio.project, (project) => project.recipe.issues.find((each) => each.field === field));
  const { parameterCount } = useStore(studio.project, (project) => project.surroundings);
  const plain = RECIPE_FIELDS[field];
  const isRate = field === 'learning_rate' && parameterCount !== null;
  const info = {
    ...plain,
    usual: isRate ? text.usualRate(usualRate('lora', parameterCount)) : (text.choices[field]?.[plain.usual] ?? plain.usual),
  };
  const unusual =
    field === 'learning_rate' && typeof value === 'number' ? unusualRate({ learning_rate: value, method: 'lora' }, parameterCount) : null;
  const set = (next: unknown): void => studio.recipe.setField(field, next);
  const frame = {
    info,
    isChanged,
    error: issue === undefined ? null : text.expected(issue.expected),
    warning: unusual === null || issue !== undefined ? null : text.unusualHere[unusual.kind](unusual.usual),
  };
  if (field === 'target_modules') return <TargetModules {...frame} value={value} onChange={set} />;
  return (
    <FieldFrame {...frame}>
      {(id, description) => {
        const shared = { id, 'aria-describedby': description, size: 'xs' } as const;
        switch (info.value.kind) {
          case 'choice':
            return (
              <NativeSelect
                {...shared}
                value={String(value)}
                data={info.value.choices.map(String).map((choice) => ({ value: choice, label: text.choices[field]?.[choice] ?? choice }))}
                onChange={(event) => set(event.currentTarget.value)}
              />
            );
          case 'boolean':
            return <Checkbox {...shared} checked={value === true} onChange={(event) => set(event.currentTarget.checked)} />;
          case 'text':
            if (info.value.nullMeans === undefined) return <LineField {...shared} value={value} onChange={set} />;
            return <ColumnSelect {...shared} value={value} nullMeans={info.value.nullMeans} onChange={set} />;
          default:
            return <NumberField id={id} description={description} value={value} info={info} isWrong={issue !== undefined} onChange={set} />;
        }
      }}
    </FieldFrame>
  );
}

interface InputProps {
  id: string;
  'aria-describedby': string;
  size: 'xs';
  value: unknown;
  onChange: (value: unknown) => void;
}

/** Text of which line breaks and tabs are typed as programs have them. */
function LineField({ value, onChange, ...input }: InputProps) {
  const [typed, setTyped] = useState<string | null>(null);
  const held = typeof value === 'string' ? value : '';
  return (
    <TextInput
      {...input}
      autoComplete="off"
      value={typed !== null && unescaped(typed) === held ? typed : escaped(held)}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        onChange(unescaped(event.currentTarget.value));
      }}
    />
  );
}

function escaped(text: string): string {
  return text
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('\n', String.raw`\n`)
    .replaceAll('\t', String.raw`\t`);
}

function unescaped(text: string): string {
  return text.replaceAll(/\\[\\nt]/g, (typed) => (typed === String.raw`\n` ? '\n' : typed === String.raw`\t` ? '\t' : '\\'));
}

/** A column of the dataset, or none. One that the dataset does not have stays to be seen. */
function ColumnSelect({ value, nullMeans, onChange, ...input }: InputProps & { nullMeans: string }) {
  const columns = useStore(useStudio().dataset, (dataset) => dataset.opened?.columns) ?? [];
  const chosen = typeof value === 'string' ? value : '';
  const names = chosen === '' || columns.includes(chosen) ? columns : [...columns, chosen];
  return (
    <NativeSelect
      {...input}
      value={chosen}
      data={[{ value: '', label: nullMeans }, ...names]}
      onChange={(event) => onChange(event.currentTarget.value === '' ? null : event.currentTarget.value)}
    />
  );
}
