/** Every setting of the recipe, by groups. A value that makes no sense stays as it was typed, with what was expected beside it. */
import { useStore } from 'zustand';
import { RECIPE_FIELDS } from '#recipe/fields.ts';
import { useStudio, useText } from '#studio/context.ts';
import { Facts, Section } from '#studio/parts/Page.tsx';
import partClasses from '#studio/parts/parts.module.css';
import { AnsweredRows } from '#studio/recipe/AnsweredRows.tsx';
import classes from '#studio/recipe/form.module.css';
import { FORM_GROUPS, isShown } from '#studio/recipe/form-groups.ts';
import { RecipeField } from '#studio/recipe/RecipeField.tsx';
import type { Place } from '#studio/stores/place.ts';

export function RecipeForm() {
  const text = useText().recipe;
  const studio = useStudio();
  const { values, issues } = useStore(studio.project, (project) => project.recipe);
  const recipeOf = useStore(studio.project, (project) => project.recipeOf);
  return (
    <>
      {FORM_GROUPS.map(({ group, fields }) => (
        <Section key={group} title={text.groups[group]}>
          {group === 'validation' && <TooFew />}
          <div>
            {fields
              .filter((field) => isShown(field, values, issues))
              .map((field) => (
                <RecipeField key={field} field={field} />
              ))}
            {group === 'validation' && <AnsweredRows key={recipeOf} of={recipeOf} />}
          </div>
        </Section>
      ))}
      <FromElsewhere />
    </>
  );
}

/** Settings that compare evaluations do nothing where there are too few rows to compare. */
function TooFew() {
  const text = useText().recipe;
  const report = useStore(useStudio().dataset, (dataset) => dataset.prepared?.report);
  if (report === undefined || !report.isTooFewToJudge) return null;
  return <p className={classes.groupNote}>{report.validationRows === 0 ? text.noValidation : text.tooFew(report.validationRows)}</p>;
}

/** What belongs to the recipe and is chosen on other pages. */
function FromElsewhere() {
  const text = useText();
  const { values } = useStore(useStudio().project, (project) => project.recipe);
  const isOpen = useStore(useStudio().model, (model) => model.opened !== null);
  const file = useStore(useStudio().dataset, (dataset) => dataset.opened?.name ?? null);
  const mapping = useStore(useStudio().project, (project) => project.mapping);
  const at = (place: Place, value: string) => (
    <>
      {value}{' '}
      <a className={partClasses.link} href={`#${place}`}>
        {text.goTo(text.places[place])}
      </a>
    </>
  );
  const kind = mapping === null ? text.recipe.nothingOpen : text.data.mapping.kinds[mapping.mapping.kind];
  return (
    <Section title={text.recipe.elsewhere}>
      <Facts
        facts={[
          [RECIPE_FIELDS.model.label, at('model', isOpen ? String(values.model) : text.recipe.nothingOpen)],
          [RECIPE_FIELDS.data_files.label, at('data', file ?? text.recipe.nothingOpen)],
          [RECIPE_FIELDS.mapping.label, at('data', kind)],
          [RECIPE_FIELDS.loss_on.label, at('data', text.data.mapping.loss[mapping?.loss ?? 'answer'])],
          [RECIPE_FIELDS.version.label, String(values.version)],
        ]}
      />
    </Section>
  );
}
