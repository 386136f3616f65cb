/** The steps that the present recipe makes of the rows as they were made ready; null while either is not known. */
import { useStore } from 'zustand';
import { stepCount, type StepCount } from '#recipe/presets.ts';
import { useStudio } from '#studio/context.ts';

export function useStepCount(): StepCount | null {
  const studio = useStudio();
  const recipe = useStore(studio.project, (project) => project.recipe.recipe);
  const sequences = useStore(studio.dataset, (dataset) => dataset.prepared?.rowLengths.length ?? 0);
  return recipe === null || sequences === 0 ? null : stepCount(recipe, sequences);
}
