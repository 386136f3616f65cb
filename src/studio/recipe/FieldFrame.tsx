/** One setting of a form: its label and control in one line; beside them what it does, its range and what is usual. */
import { type ReactNode, useId } from 'react';
import type { FieldInfo } from '#recipe/fields.ts';
import { useText } from '#studio/context.ts';
import classes from '#studio/recipe/form.module.css';

export interface FrameProps {
  info: Pick<FieldInfo, 'label' | 'about' | 'usual' | 'value'>;
  isChanged: boolean;
  error: string | null;
  /** Possible, but few people mean it. */
  warning?: string | null;
}

export function FieldFrame({
  info,
  isChanged,
  error,
  warning = null,
  children,
}: FrameProps & { children: (id: string, description: string) => ReactNode }) {
  const text = useText().recipe;
  const id = useId();
  return (
    <div className={classes.field}>
      <span className={classes.fieldLabel}>
        <label htmlFor={id}>{info.label}</label>
        {isChanged && <span className={classes.changed}>{text.changed}</span>}
      </span>
      <div className={classes.control}>{children(id, `${id}-about`)}</div>
      <p className={classes.hint} id={`${id}-about`}>
        {error !== null && <strong className={classes.error}>{error} </strong>}
        {warning !== null && <strong className={classes.warning}>{warning} </strong>}
        {[info.about, error === null ? text.range(info.value, info.usual) : '', text.usual(info.usual)].filter(Boolean).join(' ')}
      </p>
    </div>
  );
}
