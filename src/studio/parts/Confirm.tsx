/** What cannot be undone asks once more, in the place of its button: what will go, and the way back. */
import { Button } from '@mantine/core';
import { useState } from 'react';
import classes from '#studio/parts/parts.module.css';

interface ConfirmProps {
  label: string;
  /** What the button says of which thing, to whom cannot see where it stands. */
  name: string;
  question: string;
  keep: string;
  disabled?: boolean;
  onConfirm: () => void;
}

export function Confirm({ label, name, question, keep, disabled, onConfirm }: ConfirmProps) {
  const [isAsking, setAsking] = useState(false);
  if (!isAsking) {
    return (
      <Button variant="default" size="xs" aria-label={name} disabled={disabled} onClick={() => setAsking(true)}>
        {label}
      </Button>
    );
  }
  return (
    <span className={classes.confirm}>
      <span>{question}</span>
      <Button
        variant="default"
        size="xs"
        data-danger="true"
        onClick={() => {
          setAsking(false);
          onConfirm();
        }}
      >
        {label}
      </Button>
      {/* oxlint-disable-next-line jsx-a11y/no-autofocus -- the focus was on the button that this takes the place of; a second Enter keeps */}
      <Button variant="default" size="xs" autoFocus onClick={() => setAsking(false)}>
        {keep}
      </Button>
    </span>
  );
}
