/** Recipe: what it takes, presets, every setting, and the recipe as a file. */
import { Button } from '@mantine/core';
import { useEffect } from 'react';
import { useStore } from 'zustand';
import { unusualRate } from '#recipe/presets.ts';
import { recipeToYaml } from '#recipe/yaml.ts';
import { useStudio, useText } from '#studio/context.ts';
import { download } from '#studio/parts/download.ts';
import { FilePick } from '#studio/parts/FilePick.tsx';
import { ErrorNote, Note } from '#studio/parts/Note.tsx';
import { Notes, PageHeader } from '#studio/parts/Page.tsx';
import { Presets } from '#studio/recipe/Presets.tsx';
import { RecipeForm } from '#studio/recipe/RecipeForm.tsx';
import { useStepCount } from '#studio/recipe/use-step-count.ts';
import { Verdict } from '#studio/recipe/Verdict.tsx';
import { namedFiles } from '#studio/drop/classify.ts';

const FILE_NAME = 'recipe.yaml';

export function RecipePage() {
  const text = useText();
  const studio = useStudio();
  const estimateError = useStore(studio.project, (project) => project.estimateError);
  useUndoKeys();
  return (
    <>
      <PageHeader title={text.places.recipe} lead={text.recipe.lead}>
        <Actions />
      </PageHeader>
      <Notes>
        <FileNote />
        {estimateError !== null && <ErrorNote error={estimateError} />}
        <Unusual />
      </Notes>
      <Verdict />
      <Presets />
      <RecipeForm />
    </>
  );
}

function Actions() {
  const text = useText().recipe;
  const studio = useStudio();
  const { past, future } = useStore(studio.drafts, (drafts) => drafts.history);
  const { changed, recipe } = useStore(studio.project, (project) => project.recipe);
  const keep = async (): Promise<void> => {
    if (recipe !== null) download(FILE_NAME, await recipeToYaml(recipe), 'application/yaml');
  };
  return (
    <>
      <Button variant="default" disabled={past.length === 0} title={text.keys} onClick={() => studio.recipe.undo()}>
        {text.undo}
      </Button>
      <Button variant="default" disabled={future.length === 0} title={text.keys} onClick={() => studio.recipe.redo()}>
        {text.redo}
      </Button>
      <Button variant="default" disabled={changed.length === 0} onClick={() => studio.recipe.reset()}>
        {text.reset}
      </Button>
      <FilePick accept=".yaml,.yml,.json" onPick={(files) => void studio.recipe.openFile(namedFiles(files)[0])}>
        {text.open}
      </FilePick>
      <Button variant="default" disabled={recipe === null} onClick={() => void keep()}>
        {text.download}
      </Button>
    </>
  );
}

/** Ctrl or Cmd with Z, and with Shift and Z or with Y; fields of text undo what is typed themselves. */
function useUndoKeys(): void {
  const studio = useStudio();
  useEffect(() => {
    const act = (event: KeyboardEvent): void => {
      if (!(event.ctrlKey || event.metaKey) || event.altKey || isText(event.target)) return;
      const key = event.key.toLowerCase();
      if (key !== 'z' && key !== 'y') return;
      event.preventDefault();
      if (key === 'z' && !event.shiftKey) studio.recipe.undo();
      else studio.recipe.redo();
    };
    window.addEventListener('keydown', act);
    return () => window.removeEventListener('keydown', act);
  }, [studio]);
}

const NO_TEXT = new Set(['checkbox', 'radio', 'button', 'file']);

function isText(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return !NO_TEXT.has(target.type);
  return target instanceof HTMLTextAreaElement || (target instanceof HTMLElement && target.isContentEditable);
}

/** What came of the file that was opened last. */
function FileNote() {
  const text = useText();
  const studio = useStudio();
  const opened = useStore(studio.project, (project) => project.recipeFile);
  if (opened === null) return null;
  const { file } = text.recipe;
  const { name, issues, changedCount, model, dataFiles, isMappingLeft } = opened;
  const dismiss = (
    <Button variant="default" size="xs" onClick={() => studio.recipe.dismissFile()}>
      {text.dismiss}
    </Button>
  );
  if (issues.length > 0) {
    const lines = issues.map(({ line, field, found, expected }) => file.issue(line, field, found, expected));
    return (
      <Note tone="error" title={file.refused(name)} text={lines.join('\n')}>
        {dismiss}
      </Note>
    );
  }
  const said = [
    file.kept,
    model === null ? '' : file.model(model),
    dataFiles === null ? '' : file.dataFiles(dataFiles),
    isMappingLeft ? file.mappingLeft : '',
  ];
  return (
    <Note tone="plain" title={file.taken(name, changedCount)} text={said.filter((sentence) => sentence !== '').join(' ')}>
      {dismiss}
    </Note>
  );
}

/** Settings that are possible, and that few people mean. */
function Unusual() {
  const text = useText().recipe;
  const studio = useStudio();
  const recipe = useStore(studio.project, (project) => project.recipe.recipe);
  const { parameterCount } = useStore(studio.project, (project) => project.surroundings);
  const steps = useStepCount();
  if (recipe === null) return null;
  const unusual = unusualRate(recipe, parameterCount);
  return (
    <>
      {unusual !== null && (
        <Note
          tone="warning"
          title={text.unusualRate[unusual.kind](recipe.learning_rate, unusual.usual)}
          action={unusual.kind === 'low' ? text.unusualRate.lowAction : text.unusualRate.highAction}
        >
          <Button variant="default" size="xs" onClick={() => studio.recipe.setField('learning_rate', unusual.usual)}>
            {text.takeUsual(unusual.usual)}
          </Button>
        </Note>
      )}
      {steps?.isFew === true && <Note tone="warning" title={text.fewSteps(steps.steps)} action={text.fewStepsAction} />}
    </>
  );
}
