/** What the Recipe page does to the recipe: fields, presets, files, undo. Knows no component. */
import type { StoreApi } from 'zustand/vanilla';
import type { MappingGuess } from '#protocol/data.ts';
import type { NamedFile } from '#protocol/trainer.ts';
import { type Preset, presetFields } from '#recipe/presets.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { recipeFromYaml, type YamlIssue } from '#recipe/yaml.ts';
import type { createDatasetStore, OpenedDataset } from '#studio/stores/dataset.ts';
import type { createDraftStore } from '#studio/stores/drafts.ts';
import type { ProjectStore } from '#studio/stores/project.ts';

interface Stores {
  drafts: ReturnType<typeof createDraftStore>;
  project: StoreApi<ProjectStore>;
  dataset: ReturnType<typeof createDatasetStore>;
  datasetKey: (opened: OpenedDataset) => string;
}

/** A recipe has a few kilobytes. */
const MAX_BYTES = 1_048_576;
/** What the page opens by itself, and not because a file says so. */
const NOT_FROM_FILE: ReadonlySet<string> = new Set(['version', 'model', 'data_files', 'mapping', 'loss_on']);

export function recipeActions({ drafts, project, dataset, datasetKey }: Stores) {
  const of = () => project.getState().recipeOf;
  return {
    setField(field: string, value: unknown): void {
      drafts.getState().setField(of(), field, value);
    },
    reset(): void {
      drafts.getState().resetFields(of());
    },
    takePreset(preset: Preset): void {
      const { recipe, surroundings } = project.getState();
      drafts.getState().setFields(of(), presetFields(preset, recipe.given, surroundings));
    },
    undo(): void {
      drafts.getState().undo();
    },
    redo(): void {
      drafts.getState().redo();
    },
    /** Takes a recipe's file as a whole, or says what is wrong with it. Model and rows stay those that are open. */
    async openFile({ path, file }: NamedFile): Promise<void> {
      const name = path.slice(path.lastIndexOf('/') + 1);
      const { given } = project.getState().recipe;
      const shown = { name, changedCount: 0, model: null, dataFiles: null, isMappingLeft: false };
      const refuse = (issues: readonly YamlIssue[]): void => project.setState({ recipeFile: { ...shown, issues } });
      if (file.size > MAX_BYTES) {
        const [found, expected] = [`a file of ${file.size} bytes`, `a recipe of at most ${MAX_BYTES}`];
        refuse([{ field: 'recipe', found, expected, line: null }]);
        return;
      }
      const mappingNow = project.getState().mapping;
      const elsewhere = mappingNow === null ? { mapping: { kind: 'template', template: '{text}' } } : { mapping: mappingNow.mapping };
      const text = await file.text();
      const { said, issues } = await recipeFromYaml(text, { ...given, ...elsewhere } as unknown as Recipe);
      if (said === null) {
        refuse(issues);
        return;
      }
      const { opened } = dataset.getState();
      const mapping = mappingOf(said, mappingNow, given.loss_on);
      const fields = Object.fromEntries(
        Object.entries(said).filter(
          ([field, value]) => !NOT_FROM_FILE.has(field) && JSON.stringify(value) !== JSON.stringify(given[field]),
        ),
      );
      drafts.getState().replaceRecipe(of(), fields, mapping === null || opened === null ? null : { dataset: datasetKey(opened), mapping });
      const { model, data_files: dataFiles } = said;
      const recipeFile = {
        ...shown,
        issues: [],
        changedCount: Object.keys(fields).length,
        model: model === undefined || model === given.model ? null : model,
        dataFiles: dataFiles === undefined || JSON.stringify(dataFiles) === JSON.stringify(given.data_files) ? null : dataFiles,
        isMappingLeft: mapping !== null && opened === null,
      };
      project.setState({ recipeFile });
    },
    dismissFile(): void {
      project.setState({ recipeFile: null });
    },
  };
}

/** The mapping and the loss that a file says; null: neither. */
function mappingOf({ mapping, loss_on: loss }: Partial<Recipe>, now: MappingGuess | null, given: Recipe['loss_on']): MappingGuess | null {
  if (mapping !== undefined) return { mapping, loss: loss ?? now?.loss ?? given };
  return loss === undefined || now === null ? null : { mapping: now.mapping, loss };
}
