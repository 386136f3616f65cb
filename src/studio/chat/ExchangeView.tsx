/** One message with what base and tuned answered, and the prompt as the model saw it. */
import { useText } from '#studio/context.ts';
import classes from '#studio/chat/chat.module.css';
import { ErrorNote } from '#studio/parts/Note.tsx';
import type { Exchange, Side, SideName } from '#studio/stores/chat.ts';

export function ExchangeView({ exchange }: { exchange: Exchange }) {
  const text = useText().chat;
  return (
    <article className={classes.exchange} data-testid="exchange">
      <p className={classes.message}>{exchange.message === '' ? text.nothing : exchange.message}</p>
      <div className={classes.sides}>
        <SideView name="base" side={exchange.base} />
        <SideView name="tuned" side={exchange.tuned} />
      </div>
      <details className={classes.details}>
        <summary>{text.promptAsSent}</summary>
        <pre className={classes.prompt}>{exchange.prompt}</pre>
      </details>
    </article>
  );
}

function SideView({ name, side }: { name: SideName; side: Side | null }) {
  const text = useText().chat;
  return (
    <section
      className={classes.side}
      data-side={name}
      data-status={side?.status}
      aria-label={text[name]}
      aria-busy={side?.status === 'writing'}
    >
      <h2 className={classes.sideName}>{text[name]}</h2>
      {side === null ? (
        <p className={classes.answerNote}>{text.noAdapter}</p>
      ) : (
        <>
          <p className={classes.answer}>{side.text}</p>
          <p className={classes.answerNote}>{noteOf(side, text)}</p>
          {side.error !== null && <ErrorNote error={side.error} />}
        </>
      )}
    </section>
  );
}

function noteOf({ status, result }: Side, text: ReturnType<typeof useText>['chat']): string {
  if (status === 'writing') return text.writing;
  if (result === null) return '';
  return `${text.rate(result.tokens, result.tokensPerSecond)}; ${text.ends[result.end]}`;
}
