/** The recipe as a dense form, by groups. A value that makes no sense stays as it was typed, with what was expected under it. */
import { Button } from '@mantine/core';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import { Section } from '#studio/parts/Page.tsx';
import partClasses from '#studio/parts/parts.module.css';
import { isActive } from '#studio/stores/run.ts';
import { AnsweredRows } from '#studio/train/AnsweredRows.tsx';
import classes from '#studio/train/form.module.css';
import { FORM_GROUPS, isShown } from '#studio/train/form-groups.ts';
import { RecipeField } from '#studio/train/RecipeField.tsx';

export function RecipeForm() {
  const text = useText().train.recipe;
  const studio = useStudio();
  const { changed, values, issues } = useStore(studio.project, (project) => project.recipe);
  const recipeOf = useStore(studio.project, (project) => project.recipeOf);
  const isRunning = useStore(studio.run, (run) => isActive(run.state));
  return (
    <Section
      title={text.heading}
      extra={
        changed.length > 0 && (
          <Button variant="default" size="xs" onClick={() => studio.resetFields()}>
            {text.reset}
          </Button>
        )
      }
    >
      {isRunning && <p className={partClasses.small}>{text.fixed}</p>}
      {FORM_GROUPS.map(({ group, fields }) => (
        <div key={group} className={classes.group}>
          <h3 className={classes.groupTitle}>{text.groups[group]}</h3>
          {group === 'validation' && <TooFew />}
          {fields
            .filter((field) => isShown(field, values, issues))
            .map((field) => (
              <RecipeField key={field} field={field} />
            ))}
          {group === 'validation' && <AnsweredRows key={recipeOf} of={recipeOf} />}
        </div>
      ))}
    </Section>
  );
}

/** Settings that compare evaluations do nothing where there are too few rows to compare. */
function TooFew() {
  const text = useText().train.recipe;
  const report = useStore(useStudio().dataset, (dataset) => dataset.prepared?.report);
  if (report === undefined || !report.isTooFewToJudge) return null;
  return <p className={classes.groupNote}>{report.validationRows === 0 ? text.noValidation : text.tooFew(report.validationRows)}</p>;
}
