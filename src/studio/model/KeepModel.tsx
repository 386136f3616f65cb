/** Copying the open model into this browser, and the models that were copied before. */
import { Button } from '@mantine/core';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import classes from '#studio/model/model.module.css';
import { ErrorNote } from '#studio/parts/Note.tsx';
import partClasses from '#studio/parts/parts.module.css';
import { ProgressLine } from '#studio/parts/ProgressLine.tsx';
import type { OpenedModel } from '#studio/stores/model.ts';
import { bytes } from '#studio/text/format.ts';

/** The demo lies beside the page: there is nothing to keep. */
export function KeepModel({ model: { isDemo, summary } }: { model: OpenedModel }) {
  const text = useText().keeping;
  const { models, keeping, error, unavailable, keepModel, cancel, dismissError } = useStore(useStudio().keeping);
  if (isDemo || unavailable !== null) return null;
  const isKept = models.some(({ key }) => key === summary.key);
  return (
    <div className={classes.keep}>
      {error !== null && <ErrorNote error={error} onDismiss={dismissError} />}
      {keeping !== null ? (
        <ProgressLine what={text.keepingModel(keeping.name)} progress={keeping.progress} unit="bytes" onCancel={cancel} />
      ) : isKept ? (
        <p className={partClasses.small}>
          {text.isKept}{' '}
          <a className={partClasses.link} href="#runs">
            {text.seeKept}
          </a>
        </p>
      ) : (
        <>
          <Button variant="default" onClick={() => void keepModel(summary.name)}>
            {text.keepModel}
          </Button>
          <p className={partClasses.small}>{text.keepModelHint(summary.weightBytes)}</p>
        </>
      )}
    </div>
  );
}

/** Those that open without being dropped again: copies, and files that lie where they were opened from. */
export function KeptModels() {
  const text = useText().keeping;
  const studio = useStudio();
  const models = useStore(studio.keeping, (keeping) => keeping.models);
  const { models: remembered, forget } = useStore(studio.remembered);
  const openKey = useStore(studio.model, (model) => model.opened?.summary.key);
  const isOpening = useStore(studio.model, (model) => model.opening !== null);
  const others = models.filter(({ key }) => key !== openKey);
  const before = remembered.filter(({ key }) => key !== openKey && !models.some((kept) => kept.key === key));
  return (
    <>
      {others.length > 0 && (
        <div className={classes.way}>
          <h3 className={classes.keptHeading}>{text.keptModels}</h3>
          <ul className={classes.kept}>
            {others.map(({ key, name, sizeBytes }) => (
              <li key={key}>
                <span className={classes.keptName}>{name}</span>
                <span className={partClasses.small}>{bytes(sizeBytes)}</span>
                <Button
                  variant="default"
                  size="xs"
                  aria-label={text.openModelOf(name)}
                  disabled={isOpening}
                  onClick={() => void studio.openKeptModel(key)}
                >
                  {text.openModel}
                </Button>
              </li>
            ))}
          </ul>
        </div>
      )}
      {before.length > 0 && (
        <div className={classes.way}>
          <h3 className={classes.keptHeading}>{text.remembered}</h3>
          <ul className={classes.kept}>
            {before.map(({ key, name }) => (
              <li key={key}>
                <span className={classes.keptName}>{name}</span>
                <Button
                  variant="default"
                  size="xs"
                  aria-label={text.openModelOf(name)}
                  disabled={isOpening}
                  onClick={() => void studio.openRemembered(key)}
                >
                  {text.openModel}
                </Button>
                <Button variant="default" size="xs" aria-label={text.forgetOf(name)} onClick={() => void forget(key)}>
                  {text.forget}
                </Button>
              </li>
            ))}
          </ul>
          <p>{text.rememberedHint}</p>
        </div>
      )}
    </>
  );
}
