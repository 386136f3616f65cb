/** How answers are drawn: greedy to begin with. */
import { TextInput } from '@mantine/core';
import { useState } from 'react';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import classes from '#studio/chat/chat.module.css';
import type { ChatSettings } from '#studio/stores/drafts.ts';

const RANGES: Record<keyof ChatSettings, { min: number; max: number; isWhole: boolean }> = {
  maxNewTokens: { min: 1, max: 4096, isWhole: true },
  temperature: { min: 0, max: 10, isWhole: false },
  topK: { min: 0, max: 1_000_000, isWhole: true },
  topP: { min: 0.001, max: 1, isWhole: false },
  seed: { min: 0, max: 4_294_967_295, isWhole: true },
};

export function ChatSettingsForm() {
  const text = useText().chat;
  return (
    <details className={classes.details}>
      <summary>{text.settings}</summary>
      <div className={classes.settings}>
        <Setting name="maxNewTokens" label={text.maxNewTokens} />
        <Setting name="temperature" label={text.temperature} hint={text.temperatureHint} />
        <Setting name="topK" label={text.topK} />
        <Setting name="topP" label={text.topP} />
        <Setting name="seed" label={text.seed} />
      </div>
    </details>
  );
}

function Setting({ name, label, hint }: { name: keyof ChatSettings; label: string; hint?: string }) {
  const text = useText().chat;
  const drafts = useStore(useStudio().drafts);
  const [typed, setTyped] = useState<string | null>(null);
  const { min, max, isWhole } = RANGES[name];
  const isGood = (candidate: string): boolean => {
    const value = Number(candidate);
    return candidate.trim() !== '' && value >= min && value <= max && (!isWhole || Number.isInteger(value));
  };
  return (
    <TextInput
      label={label}
      description={hint}
      size="xs"
      inputMode="decimal"
      autoComplete="off"
      value={typed ?? String(drafts.chat[name])}
      error={typed !== null && !isGood(typed) ? text.expected(min, max, isWhole) : undefined}
      onChange={(event) => {
        const next = event.currentTarget.value;
        setTyped(next);
        if (isGood(next)) drafts.setChat({ [name]: Number(next) });
      }}
    />
  );
}
