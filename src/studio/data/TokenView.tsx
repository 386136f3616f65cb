/** A row as the model sees it, token by token, with those that carry loss marked. */
import { useText } from '#studio/context.ts';
import type { Preview, PreviewToken } from '#protocol/data.ts';
import classes from '#studio/data/data.module.css';
import { count } from '#studio/text/format.ts';

/** Past this a row is no longer read, and drawing it would be slow. */
const SHOWN_TOKENS = 2000;

export function TokenView({ preview, isStale }: { preview: Preview; isStale: boolean }) {
  const text = useText().data.preview;
  const { tokens, fullLength } = preview;
  const hidden = tokens.length - SHOWN_TOKENS;
  return (
    <>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard */}
      <section className={classes.tokens} data-stale={isStale} data-testid="preview" aria-label={text.heading} tabIndex={0}>
        {tokens.slice(0, SHOWN_TOKENS).map((token, i) => (
          <Token key={i} token={token} />
        ))}
        {hidden > 0 && <span className={classes.lineEnd}> … +{count(hidden)}</span>}
      </section>
      <div className={classes.tokenLine}>
        <span>
          {text.tokens(tokens.length, tokens.filter(({ hasLoss }) => hasLoss).length)}
          {fullLength > tokens.length && `, ${text.cut(fullLength)}`}
        </span>
        <span>
          <span className={classes.swatch} data-loss="true" />
          {text.legendLoss}
        </span>
        <span>
          <span className={classes.swatch} />
          {text.legendContext}
        </span>
        {isStale && <span>{text.stale}</span>}
      </div>
    </>
  );
}

function Token({ token }: { token: PreviewToken }) {
  const text = useText().data.preview;
  const lines = token.text.split('\n');
  return (
    <span className={classes.token} data-loss={token.hasLoss} data-special={token.isSpecial} title={text.tokenId(token.id)}>
      {lines.map((line, i) => (
        <span key={i}>
          {i > 0 && (
            <>
              <span className={classes.lineEnd} aria-hidden="true">
                ⏎
              </span>
              {'\n'}
            </>
          )}
          {line}
        </span>
      ))}
    </span>
  );
}
