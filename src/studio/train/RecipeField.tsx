/** One field of the recipe, by its kind. Label, range and words come from the recipe's schema. */
import { Checkbox, NativeSelect } from '@mantine/core';
import { useStore } from 'zustand';
import { RECIPE_FIELDS } from '#recipe/fields.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { useStudio, useText } from '#studio/context.ts';
import { FieldFrame } from '#studio/train/FieldFrame.tsx';
import { NumberField } from '#studio/train/NumberField.tsx';
import { TargetModules } from '#studio/train/TargetModules.tsx';

export function RecipeField({ field }: { field: keyof Recipe }) {
  const text = useText().train.recipe;
  const studio = useStudio();
  const value = useStore(studio.project, (project) => project.recipe.values[field]);
  const isChanged = useStore(studio.project, (project) => project.recipe.changed.includes(field));
  const issue = useStore(studio.project, (project) => project.recipe.issues.find((each) => each.field === field));
  const info = RECIPE_FIELDS[field];
  const set = (next: unknown): void => studio.setField(field, next);
  const frame = { info, isChanged, error: issue === undefined ? null : text.expected(issue.expected) };
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
            return <ColumnSelect {...shared} value={value} nullMeans={info.value.nullMeans ?? ''} onChange={set} />;
          default:
            return <NumberField id={id} description={description} value={value} info={info} isWrong={issue !== undefined} onChange={set} />;
        }
      }}
    </FieldFrame>
  );
}

interface ColumnSelectProps {
  id: string;
  'aria-describedby': string;
  size: 'xs';
  value: unknown;
  nullMeans: string;
  onChange: (value: unknown) => void;
}

/** A column of the dataset, or none. One that the dataset does not have stays to be seen. */
function ColumnSelect({ value, nullMeans, onChange, ...input }: ColumnSelectProps) {
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
