/** The recipe's basics as a dense form. A value that makes no sense stays as it was typed, with what was expected under it. */
import { Button, Checkbox, NativeSelect, TextInput } from '@mantine/core';
import { type ReactNode, useId, useState } from 'react';
import { useStore } from 'zustand';
import { RECIPE_FIELDS, type FieldGroup, type FieldInfo } from '#recipe/fields.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { useStudio, useText } from '#studio/context.ts';
import { Section } from '#studio/parts/Page.tsx';
import partClasses from '#studio/parts/parts.module.css';
import { isActive } from '#studio/stores/run.ts';
import { ANSWERED_ROWS, type RecipeOf } from '#studio/stores/drafts.ts';
import classes from '#studio/train/train.module.css';

type Field = keyof Recipe;

/** The basics; the rest keeps its default until the recipe has a page of its own. */
const GROUPS: readonly (readonly [FieldGroup, readonly Field[]])[] = [
  ['adapter', ['lora_r', 'lora_alpha', 'lora_dropout', 'target_modules']],
  ['optimizer', ['learning_rate', 'lr_scheduler_type', 'warmup_steps', 'warmup_ratio', 'weight_decay', 'max_grad_norm']],
  ['steps', ['max_steps', 'num_train_epochs', 'per_device_train_batch_size', 'gradient_accumulation_steps']],
  ['data', ['max_seq_len', 'held_out']],
  ['records', ['seed']],
];

export function RecipeForm() {
  const text = useText().train.recipe;
  const studio = useStudio();
  const changed = useStore(studio.project, (project) => project.recipe.changed);
  const recipeOf = useStore(studio.project, (project) => project.recipeOf);
  const isRunning = useStore(studio.run, (run) => isActive(run.state));
  return (
    <Section
      title={text.heading}
      extra={
        changed.length > 0 && (
          <Button variant="default" size="xs" onClick={() => studio.resetFields()}>
            {text.reset}
          </Button>
        )
      }
    >
      {isRunning && <p className={partClasses.small}>{text.fixed}</p>}
      {GROUPS.map(([group, fields]) => (
        <div key={group} className={classes.group}>
          <h3 className={classes.groupTitle}>{text.groups[group]}</h3>
          {fields.map((field) => (
            <RecipeField key={field} field={field} />
          ))}
          {group === 'data' && <AnsweredRows key={recipeOf} of={recipeOf} />}
        </div>
      ))}
    </Section>
  );
}

function RecipeField({ field }: { field: Field }) {
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
      {(id, description) =>
        info.value.kind === 'choice' ? (
          <NativeSelect
            id={id}
            aria-describedby={description}
            size="xs"
            value={String(value)}
            data={info.value.choices.map((choice) => ({ value: String(choice), label: text.schedules[String(choice)] ?? String(choice) }))}
            onChange={(event) => set(event.currentTarget.value)}
          />
        ) : (
          <NumberField id={id} description={description} value={value} info={info} isWrong={issue !== undefined} onChange={set} />
        )
      }
    </FieldFrame>
  );
}

interface FrameProps {
  info: Pick<FieldInfo, 'label' | 'about' | 'usual'>;
  isChanged: boolean;
  error: string | null;
}

/** A label and its control in one line; what it does, and what is usual, shows under it while it has the focus. */
function FieldFrame({ info, isChanged, error, children }: FrameProps & { children: (id: string, description: string) => ReactNode }) {
  const text = useText().train.recipe;
  const id = useId();
  const [hasFocus, setFocus] = useState(false);
  return (
    <div className={classes.field} onFocus={() => setFocus(true)} onBlur={() => setFocus(false)}>
      <span className={classes.fieldLabel}>
        <label htmlFor={id}>{info.label}</label>
        {isChanged && <span className={classes.changed}>{text.changed}</span>}
      </span>
      {children(id, `${id}-about`)}
      {error !== null && <p className={classes.fieldError}>{error}</p>}
      <p className={classes.fieldHint} id={`${id}-about`} hidden={!hasFocus}>
        {info.about} {text.usual(info.usual)}
      </p>
    </div>
  );
}

interface NumberFieldProps {
  id: string;
  description: string;
  value: unknown;
  info: FieldInfo;
  isWrong: boolean;
  onChange: (value: unknown) => void;
}

/** Takes 2e-4 as well as 0.0002; what is no number is kept as it was typed. */
function NumberField({ id, description, value, info, isWrong, onChange }: NumberFieldProps) {
  const [typed, setTyped] = useState<string | null>(null);
  const nullMeans = info.value.kind === 'integer' ? info.value.nullMeans : undefined;
  const shown = typeof value === 'number' || typeof value === 'string' ? String(value) : '';
  return (
    <TextInput
      id={id}
      aria-describedby={description}
      aria-invalid={isWrong}
      size="xs"
      inputMode="decimal"
      autoComplete="off"
      error={isWrong}
      placeholder={nullMeans}
      // The words of the one who types stay while they mean the value that is held.
      value={typed !== null && parseNumber(typed, nullMeans !== undefined) === value ? typed : shown}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        onChange(parseNumber(event.currentTarget.value, nullMeans !== undefined));
      }}
    />
  );
}

function parseNumber(typed: string, mayBeNull: boolean): unknown {
  const trimmed = typed.trim();
  if (trimmed === '' && mayBeNull) return null;
  const number = Number(trimmed);
  return trimmed === '' || !Number.isFinite(number) ? typed : number;
}

function TargetModules({ value, onChange, ...frame }: FrameProps & { value: unknown; onChange: (value: unknown) => void }) {
  const text = useText().train.recipe;
  const linears = useStore(useStudio().model, (model) => model.opened?.summary.linearNames);
  const names: readonly string[] = linears ?? [];
  const chosen = Array.isArray(value) ? value.map(String) : null;
  return (
    <FieldFrame {...frame}>
      {(id, description) => (
        <>
          <NativeSelect
            id={id}
            aria-describedby={description}
            size="xs"
            value={chosen === null ? (value === null ? 'peft' : 'all') : 'some'}
            data={[
              { value: 'all', label: text.targetAll },
              { value: 'peft', label: text.targetPeft },
              { value: 'some', label: text.targetSome },
            ]}
            onChange={(event) => {
              const choice = event.currentTarget.value;
              onChange(choice === 'all' ? 'all-linear' : choice === 'peft' ? null : [...names]);
            }}
          />
          {chosen !== null && (
            <fieldset className={classes.targets} aria-label={text.chooseTargets}>
              {[...new Set([...names, ...chosen])].map((name) => (
                <Checkbox
                  key={name}
                  size="xs"
                  label={name}
                  checked={chosen.includes(name)}
                  onChange={(event) => onChange(event.currentTarget.checked ? [...chosen, name] : chosen.filter((other) => other !== name))}
                />
              ))}
            </fieldset>
          )}
        </>
      )}
    </FieldFrame>
  );
}

/** No field of the recipe: it changes what is shown, not what is trained. */
function AnsweredRows({ of }: { of: RecipeOf }) {
  const text = useText().train.recipe;
  const { answeredRows, setAnsweredRows } = useStore(useStudio().drafts);
  const [typed, setTyped] = useState<string | null>(null);
  const rows = answeredRows[of];
  const info = { label: text.answeredRows, about: text.answeredRowsAbout, usual: String(ANSWERED_ROWS[of]) };
  const parsed = typed === null ? rows : Number(typed);
  const isWrong = !Number.isInteger(parsed) || parsed < 0 || typed?.trim() === '';
  return (
    <FieldFrame info={info} isChanged={rows !== ANSWERED_ROWS[of]} error={isWrong ? text.answeredRowsExpected : null}>
      {(id, description) => (
        <TextInput
          id={id}
          aria-describedby={description}
          size="xs"
          inputMode="numeric"
          autoComplete="off"
          error={isWrong}
          value={typed ?? String(rows)}
          onChange={(event) => {
            const next = event.currentTarget.value;
            setTyped(next);
            if (next.trim() !== '' && Number.isInteger(Number(next)) && Number(next) >= 0) setAnsweredRows(of, Number(next));
          }}
        />
      )}
    </FieldFrame>
  );
}
