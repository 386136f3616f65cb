/** What stands above the single stores: the recipe as it is now, what it would take, and what has to be said of a drop. */
import type { AppError } from '#base/errors.ts';
import type { MappingGuess } from '#protocol/data.ts';
import type { PlanSummary } from '#protocol/trainer.ts';
import type { Surroundings } from '#recipe/presets.ts';
import type { YamlIssue } from '#recipe/yaml.ts';
import type { LooksLike } from '#studio/drop/classify.ts';
import type { RecipeOf } from '#studio/stores/drafts.ts';
import type { ModelSource } from '#studio/stores/model.ts';
import type { ComposedRecipe } from '#studio/stores/recipe.ts';

export interface ProjectStore {
  recipe: ComposedRecipe;
  /** Whose recipe is being changed. */
  recipeOf: RecipeOf;
  mapping: MappingGuess | null;
  /** What defaults and presets go by. */
  surroundings: Surroundings;
  /** What came of the recipe's file that was opened last. */
  recipeFile: OpenedRecipeFile | null;
  /** What the recipe would take on this device. */
  estimate: PlanSummary | null;
  estimateError: AppError | null;
  demoError: AppError | null;
  /** A drop that could not be used, or that would cost an adapter. */
  notice: Notice | null;
}

export type Notice = { kind: 'refused'; name: string; looksLike: LooksLike } | { kind: 'replaces'; model: ModelSource; step: number };

/** A recipe's file: taken as a whole, or not at all. */
export interface OpenedRecipeFile {
  name: string;
  /** Why it was not taken. */
  issues: readonly YamlIssue[];
  /** Fields that are other than they were to begin with. */
  changedCount: number;
  /** What it names that is not what is open here; null: the same, or nothing. */
  model: string | null;
  dataFiles: readonly string[] | null;
  /** Its mapping found no rows to be for. */
  isMappingLeft: boolean;
}
