/** A number as it is typed. */
import { TextInput } from '@mantine/core';
import { useState } from 'react';
import type { FieldInfo } from '#recipe/fields.ts';

interface NumberFieldProps {
  id: string;
  description: string;
  value: unknown;
  info: FieldInfo;
  isWrong: boolean;
  onChange: (value: unknown) => void;
}

/** Takes 2e-4 as well as 0.0002; what is no number is kept as it was typed. */
export function NumberField({ id, description, value, info, isWrong, onChange }: NumberFieldProps) {
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
