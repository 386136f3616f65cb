/** Start, Pause, Resume, Stop; and why a run cannot start, with the way to where that is mended. */
import { Button } from '@mantine/core';
import { useStore } from 'zustand';
import { RECIPE_FIELDS } from '#recipe/fields.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { useStudio, useText } from '#studio/context.ts';
import partClasses from '#studio/parts/parts.module.css';
import { isActive } from '#studio/stores/run.ts';
import { startBlock, type StartBlock } from '#studio/train/start-block.ts';
import type { Text } from '#studio/text/en.ts';

export function RunControls() {
  const text = useText().train;
  const studio = useStudio();
  const { state, pause, resume, stop } = useStore(studio.run);
  const device = useStore(studio.device, (store) => store.device);
  const model = useStore(studio.model);
  const dataset = useStore(studio.dataset);
  const project = useStore(studio.project);
  if (isActive(state)) {
    return (
      <>
        {state.kind === 'paused' ? (
          <Button onClick={resume}>{text.resume}</Button>
        ) : (
          <Button variant="default" disabled={state.kind === 'preparing'} onClick={pause}>
            {text.pause}
          </Button>
        )}
        <Button variant="default" disabled={state.kind === 'preparing'} onClick={stop}>
          {text.stop}
        </Button>
      </>
    );
  }
  const block = startBlock({ device, model, dataset, project });
  const isDemo = model.opened?.isDemo === true && dataset.opened?.isDemo === true;
  const isAgain = state.kind === 'done' || state.kind === 'failed';
  return (
    <>
      {block !== null && (
        <span className={partClasses.muted} id="start-block">
          {wordsOf(block, text)}
          {block.place !== undefined && (
            <>
              {' '}
              <a className={partClasses.link} href={`#${block.place}`}>
                {text.goTo[block.place]}
              </a>
            </>
          )}
        </span>
      )}
      <Button
        disabled={block !== null}
        aria-describedby={block === null ? undefined : 'start-block'}
        title={isAgain ? text.againHint : undefined}
        onClick={() => void studio.startRun()}
      >
        {isAgain ? text.startAgain : isDemo ? text.startDemo : text.start}
      </Button>
    </>
  );
}

function wordsOf({ why, field }: StartBlock, text: Text['train']): string {
  if (why !== 'recipe') return text.blocked[why];
  const known = field !== undefined && Object.hasOwn(RECIPE_FIELDS, field) ? RECIPE_FIELDS[field as keyof Recipe].label : (field ?? '');
  return text.blocked.recipe(known.toLowerCase());
}
