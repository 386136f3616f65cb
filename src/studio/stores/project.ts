/** What stands above the single stores: the recipe as it is now, what it would take, and what has to be said of a drop. */
import type { AppError } from '#base/errors.ts';
import type { MappingGuess } from '#protocol/data.ts';
import type { PlanSummary } from '#protocol/trainer.ts';
import type { LooksLike } from '#studio/drop/classify.ts';
import type { RecipeOf } from '#studio/stores/drafts.ts';
import type { ModelSource } from '#studio/stores/model.ts';
import type { ComposedRecipe } from '#studio/stores/recipe.ts';

export interface ProjectStore {
  recipe: ComposedRecipe;
  /** Whose recipe is being changed. */
  recipeOf: RecipeOf;
  mapping: MappingGuess | null;
  /** What the recipe would take on this device. */
  estimate: PlanSummary | null;
  estimateError: AppError | null;
  demoError: AppError | null;
  /** A drop that could not be used, or that would cost an adapter. */
  notice: Notice | null;
}

export type Notice = { kind: 'refused'; name: string; looksLike: LooksLike } | { kind: 'replaces'; model: ModelSource; step: number };
