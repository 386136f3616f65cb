/** Which linears get an adapter: all, PEFT's choice, or chosen ones. */
import { Checkbox, NativeSelect } from '@mantine/core';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import { FieldFrame, type FrameProps } from '#studio/recipe/FieldFrame.tsx';
import classes from '#studio/recipe/form.module.css';

export function TargetModules({ value, onChange, ...frame }: FrameProps & { value: unknown; onChange: (value: unknown) => void }) {
  const text = useText().recipe;
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
