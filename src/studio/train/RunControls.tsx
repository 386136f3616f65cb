/** Start, Pause, Resume, Stop; and why a run cannot start, with the way to where that is mended. */
import { Button } from '@mantine/core';
import { useStore } from 'zustand';
import { RECIPE_FIELDS } from '#recipe/fields.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { useStudio, useText } from '#studio/context.ts';
import partClasses from '#studio/parts/parts.module.css';
import { runWords } from '#studio/shell/rail-states.ts';
import { isActive } from '#studio/stores/run.ts';
import { startBlock, type StartBlock } from '#studio/train/start-block.ts';
import type { Text } from '#studio/text/en.ts';

export function RunControls() {
  const text = useText();
  const studio = useStudio();
  const { state, pause, resume, stop } = useStore(studio.run);
  const device = useStore(studio.device, (store) => store.device);
  const model = useStore(studio.model);
  const dataset = useStore(studio.dataset);
  const project = useStore(studio.project);
  const words = (
    <span className={partClasses.muted} data-testid="run-state">
      {runWords({ state, latest: null }, text)}
    </span>
  );
  if (isActive(state)) {
    return (
      <>
        {words}
        {state.kind === 'paused' ? (
          <Button onClick={resume}>{text.train.resume}</Button>
        ) : (
          <Button variant="default" disabled={state.kind === 'preparing'} onClick={pause}>
            {text.train.pause}
          </Button>
        )}
        <Button variant="default" disabled={state.kind === 'preparing'} onClick={stop}>
          {text.train.stop}
        </Button>
      </>
    );
  }
  const block = startBlock({ device, model, dataset, project });
  const isDemo = model.opened?.isDemo === true && dataset.opened?.isDemo === true;
  const isAgain = state.kind === 'done' || state.kind === 'failed';
  return (
    <>
      {block === null || isAgain ? words : null}
      {block !== null && (
        <span className={partClasses.muted} id="start-block">
          {wordsOf(block, text.train)}
          {block.place !== undefined && (
            <>
              {' '}
              <a className={partClasses.link} href={`#${block.place}`}>
                {text.goTo(text.places[block.place])}
              </a>
            </>
          )}
        </span>
      )}
      <Button
        disabled={block !== null}
        aria-describedby={block === null ? undefined : 'start-block'}
        title={isAgain ? text.train.againHint : undefined}
        onClick={() => void studio.startRun()}
      >
        {isAgain ? text.train.startAgain : isDemo ? text.train.startDemo : text.train.start}
      </Button>
    </>
  );
}

function wordsOf({ why, field }: StartBlock, text: Text['train']): string {
  if (why !== 'recipe') return text.blocked[why];
  const known = field !== undefined && Object.hasOwn(RECIPE_FIELDS, field) ? RECIPE_FIELDS[field as keyof Recipe].label : (field ?? '');
  return text.blocked.recipe(known.toLowerCase());
}
