/** Notes that stand beside what they are about: errors with what was found, expected and to be done, and warnings. */
import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import type { AppError } from '#base/errors.ts';
import { useText } from '#studio/context.ts';
import classes from '#studio/parts/parts.module.css';

interface NoteProps {
  tone: 'error' | 'warning' | 'plain';
  title: string;
  text?: ReactNode;
  action?: ReactNode;
  children?: ReactNode;
}

/** Errors are read out at once; the rest is read where it stands. */
export function Note({ tone, title, text, action, children }: NoteProps) {
  return (
    <div className={classes.note} data-tone={tone} role={tone === 'error' ? 'alert' : undefined}>
      <p className={classes.noteTitle}>{title}</p>
      {text !== undefined && text !== '' && <p className={classes.noteText}>{text}</p>}
      {action !== undefined && <p className={classes.noteAction}>{action}</p>}
      {children !== undefined && <div className={classes.noteButtons}>{children}</div>}
    </div>
  );
}

export function ErrorNote({ error, onDismiss }: { error: AppError; onDismiss?: () => void }) {
  const text = useText();
  const { title, action, place } = text.errors[error.code];
  const link = place !== undefined && (
    <a className={classes.link} href={`#${place}`}>
      {text.goTo(text.places[place])}
    </a>
  );
  return (
    <Note
      tone="error"
      title={title}
      text={sentence(error.message)}
      action={
        <>
          {action} {link}
        </>
      }
    >
      {onDismiss && (
        <Button variant="default" size="xs" onClick={onDismiss}>
          {text.dismiss}
        </Button>
      )}
    </Note>
  );
}

/** Begins a message with a capital, unless it begins with the name of a file or a field. */
function sentence(message: string): string {
  return /^[a-z]+,? /.test(message) ? message.slice(0, 1).toUpperCase() + message.slice(1) : message;
}
