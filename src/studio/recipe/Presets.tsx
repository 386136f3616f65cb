/** Four ways to begin, each with what it does to the recipe. */
import { useStore } from 'zustand';
import { PRESETS, type Preset, presetFields, presetOf, stepCount } from '#recipe/presets.ts';
import { useStudio, useText } from '#studio/context.ts';
import { Section } from '#studio/parts/Page.tsx';
import classes from '#studio/recipe/recipe.module.css';

export function Presets() {
  const text = useText().recipe.presets;
  const studio = useStudio();
  const { given, values } = useStore(studio.project, (project) => project.recipe);
  const surroundings = useStore(studio.project, (project) => project.surroundings);
  const sequences = useStore(studio.dataset, (dataset) => dataset.prepared?.rowLengths.length ?? 0);
  const chosen = presetOf(values, given, surroundings);
  const effect = (preset: Preset): string => {
    const fields = presetFields(preset, given, surroundings);
    const { max_steps: steps, num_train_epochs: epochs } = fields;
    const counted = sequences > 0 ? stepCount({ ...given, ...fields }, sequences).steps : steps;
    return text.effects[preset](fields.lora_r, counted === null ? text.epochs(epochs) : text.steps(counted));
  };
  return (
    <Section title={text.heading}>
      <fieldset className={classes.presets} aria-label={text.heading}>
        {PRESETS.map((preset) => (
          <button
            key={preset}
            type="button"
            className={classes.preset}
            aria-pressed={preset === chosen}
            onClick={() => studio.recipe.takePreset(preset)}
          >
            <span className={classes.presetName}>{text.names[preset]}</span>
            <span className={classes.presetEffect}>{effect(preset)}</span>
          </button>
        ))}
      </fieldset>
    </Section>
  );
}
