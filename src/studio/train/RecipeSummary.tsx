/** The recipe in a line, with the way to where it is changed. */
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import { Section } from '#studio/parts/Page.tsx';
import partClasses from '#studio/parts/parts.module.css';

export function RecipeSummary() {
  const text = useText().train;
  const studio = useStudio();
  const { lora_r: rank, learning_rate: rate } = useStore(studio.project, (project) => project.recipe.values);
  const steps = useStore(studio.project, (project) => project.estimate?.steps ?? null);
  return (
    <Section title={text.recipeHeading}>
      <p data-testid="recipe-summary">
        {text.recipeSummary(String(rank), steps, String(rate))}{' '}
        <a className={partClasses.link} href="#recipe">
          {text.recipeChange}
        </a>
      </p>
    </Section>
  );
}
