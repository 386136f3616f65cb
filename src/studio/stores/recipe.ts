/** The recipe as it stands: defaults or the demo's own, with what the user changed and the dataset's mapping. Pure. */
import type { DataSettings, MappingGuess } from '#protocol/data.ts';
import { DEFAULTS, dataOptions, holdOutOptions, type Recipe, type RecipeDefaults } from '#recipe/recipe.ts';
import { type RecipeIssue, recipeIssues } from '#recipe/validate.ts';

export interface RecipeParts {
  /** What differs from the plain defaults before anyone changed anything: the demo's shipped recipe, or what suits model and rows. */
  base: Readonly<Record<string, unknown>>;
  /** Fields as they were typed. */
  changed: Readonly<Record<string, unknown>>;
  mapping: MappingGuess | null;
  model: string;
  dataFile: string;
}

export interface ComposedRecipe {
  /** Every field before anyone changed anything. */
  given: Readonly<Record<string, unknown>> & RecipeDefaults;
  /** Every field as it was typed. */
  values: Readonly<Record<string, unknown>>;
  /** What differs from the recipe to begin with. */
  changed: readonly string[];
  issues: readonly RecipeIssue[];
  /** Null while there are issues. */
  recipe: Recipe | null;
  /** What the rows are read with, also while other fields have issues; null without a mapping. */
  settings: DataSettings | null;
}

export function composeRecipe({ base, changed, mapping, model, dataFile }: RecipeParts): ComposedRecipe {
  const given = { ...DEFAULTS, ...base, model, data_files: [dataFile] };
  const said = mapping === null ? { mapping: null } : { mapping: mapping.mapping, loss_on: mapping.loss };
  const values: Record<string, unknown> = { ...given, ...changed, ...said };
  const issues = recipeIssues(values);
  const wrong = new Set(issues.map(({ field }) => field));
  const usable = Object.fromEntries(
    Object.entries(values).map(([field, value]) => [field, wrong.has(field) ? given[field as keyof typeof given] : value]),
  ) as unknown as Recipe;
  return {
    given,
    values,
    changed: Object.keys(changed).filter((field) => changed[field] !== given[field as keyof typeof given]),
    issues,
    recipe: issues.length === 0 ? usable : null,
    // An unfinished template is still what the preview has to speak about.
    settings: mapping === null ? null : { ...dataOptions({ ...usable, mapping: mapping.mapping }), ...holdOutOptions(usable) },
  };
}
