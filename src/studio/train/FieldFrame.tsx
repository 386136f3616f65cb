/** One setting of a form: its label and control in one line; what was expected, and what it does, under them. */
import { type ReactNode, useId, useState } from 'react';
import type { FieldInfo } from '#recipe/fields.ts';
import { useText } from '#studio/context.ts';
import classes from '#studio/train/form.module.css';

export interface FrameProps {
  info: Pick<FieldInfo, 'label' | 'about' | 'usual'>;
  isChanged: boolean;
  error: string | null;
}

/** What it does, and what is usual, shows under it while it has the focus. */
export function FieldFrame({
  info,
  isChanged,
  error,
  children,
}: FrameProps & { children: (id: string, description: string) => ReactNode }) {
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
