/** Chat: base and tuned side by side on the same prompt. */
import { Button, Textarea } from '@mantine/core';
import { type FormEvent, type KeyboardEvent, useState } from 'react';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import classes from '#studio/chat/chat.module.css';
import { ChatSettingsForm } from '#studio/chat/ChatSettingsForm.tsx';
import { ExchangeView } from '#studio/chat/ExchangeView.tsx';
import { ErrorNote } from '#studio/parts/Note.tsx';
import { PageHeader } from '#studio/parts/Page.tsx';
import partClasses from '#studio/parts/parts.module.css';
import { isWriting, type SideName } from '#studio/stores/chat.ts';
import { adapterStep } from '#studio/stores/run.ts';
import { plainPrompt } from '#studio/train/plain-prompt.ts';

export function ChatPage() {
  const text = useText();
  const studio = useStudio();
  const { exchanges, error } = useStore(studio.chat);
  return (
    <>
      <PageHeader title={text.places.chat} lead={text.chat.lead} />
      <Composer />
      {error !== null && <ErrorNote error={error} />}
      {exchanges.length === 0 && <NoExchange />}
      {exchanges.map((exchange) => (
        <ExchangeView key={exchange.id} exchange={exchange} />
      ))}
    </>
  );
}

/** Where the answers will stand. */
function NoExchange() {
  const text = useText().chat;
  const hasAdapter = useStore(useStudio().run, (run) => adapterStep(run.state) !== null);
  return (
    <div className={classes.exchange}>
      <div className={classes.sides}>
        <EmptySide name="base" words={text.emptySides.base} />
        <EmptySide name="tuned" words={hasAdapter ? text.emptySides.tuned : text.noAdapter} />
      </div>
    </div>
  );
}

function EmptySide({ name, words }: { name: SideName; words: string }) {
  const text = useText().chat;
  return (
    <section className={classes.side} data-side={name} aria-label={text[name]}>
      <h2 className={classes.sideName}>{text[name]}</h2>
      <p className={classes.answerNote}>{words}</p>
    </section>
  );
}

function Composer() {
  const text = useText().chat;
  const studio = useStudio();
  const chat = useStore(studio.chat);
  const drafts = useStore(studio.drafts);
  const isModelOpen = useStore(studio.model, (model) => model.opened !== null);
  const hasAdapter = useStore(studio.run, (run) => adapterStep(run.state) !== null);
  const settings = useStore(studio.project, (project) => project.recipe.settings);
  const writing = isWriting(chat);
  const canSend = isModelOpen && !writing && chat.fields.length > 0;
  const send = (): void => {
    if (!canSend) return;
    const fields = Object.fromEntries(chat.fields.map((name) => [name, drafts.chatFields[name] ?? '']));
    void chat.send({ settings, fields, options: drafts.chat, hasAdapter });
  };
  return (
    <form
      className={classes.composer}
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        send();
      }}
    >
      {!isModelOpen && <p className={partClasses.muted}>{text.fieldsNone}</p>}
      {isModelOpen &&
        chat.fields.map((name) => (
          <Textarea
            key={name}
            label={capitalised(name)}
            value={drafts.chatFields[name] ?? ''}
            autosize
            minRows={2}
            maxRows={12}
            onChange={(event) => drafts.setChatField(name, event.currentTarget.value)}
            onKeyDown={(event: KeyboardEvent) => {
              if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
                event.preventDefault();
                send();
              }
            }}
          />
        ))}
      <div className={classes.buttons}>
        {writing ? (
          <Button variant="default" onClick={() => chat.stop()}>
            {text.stop}
          </Button>
        ) : (
          <Button type="submit" disabled={!canSend}>
            {text.send}
          </Button>
        )}
        <ExampleButton />
        <span className={partClasses.small}>{text.keys}</span>
      </div>
      {isModelOpen && <ChatSettingsForm />}
    </form>
  );
}

/** Fills the message with the next held-out row: something that the model was not trained on. */
function ExampleButton() {
  const text = useText().chat;
  const studio = useStudio();
  const heldOut = useStore(studio.dataset, (dataset) => dataset.prepared?.heldOut);
  const fields = useStore(studio.chat, (chat) => chat.fields);
  const bosToken = useStore(studio.model, (model) => model.opened?.tokenizer.bosToken ?? null);
  const [next, setNext] = useState(0);
  const [field] = fields;
  if (heldOut === undefined || heldOut.length === 0 || field === undefined || fields.length !== 1) return null;
  return (
    <Button
      variant="default"
      onClick={() => {
        studio.drafts.getState().setChatField(field, plainPrompt(heldOut[next % heldOut.length].promptText, bosToken));
        setNext(next + 1);
      }}
    >
      {text.example}
    </Button>
  );
}

function capitalised(name: string): string {
  return name.slice(0, 1).toUpperCase() + name.slice(1);
}
