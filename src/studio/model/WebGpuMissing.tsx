/** Why there is nothing to compute on, and what to do about it in each browser; the user's own first. */
import { Button } from '@mantine/core';
import type { AppError } from '#base/errors.ts';
import { useStudio, useText } from '#studio/context.ts';
import { browserFamily } from '#studio/model/browser.ts';
import classes from '#studio/model/model.module.css';
import { ErrorNote } from '#studio/parts/Note.tsx';
import { Section } from '#studio/parts/Page.tsx';
import partClasses from '#studio/parts/parts.module.css';

export function WebGpuMissing({ error }: { error: AppError }) {
  const text = useText().webgpu;
  const studio = useStudio();
  if (error.code !== 'gpu/no-webgpu' && error.code !== 'gpu/no-adapter') return <ErrorNote error={error} />;
  const why = error.code === 'gpu/no-adapter' ? text.noAdapter : window.isSecureContext ? text.missing : text.insecure;
  const yours = browserFamily(navigator.userAgent);
  const browsers = text.browsers.toSorted((a, b) => Number(b.id === yours) - Number(a.id === yours));
  return (
    <Section title={text.heading}>
      <p className={partClasses.lead} role="alert">
        {why}
      </p>
      {browsers.map(({ id, name, steps }) => (
        <div key={id} className={classes.browser}>
          <h3>
            {name}
            {id === yours && <span className={partClasses.muted}> ({text.yours})</span>}
          </h3>
          <ul>
            {steps.map((step) => (
              <li key={step}>{step}</li>
            ))}
          </ul>
        </div>
      ))}
      <div className={partClasses.noteButtons}>
        <Button variant="default" onClick={() => void studio.begin()}>
          {text.retry}
        </Button>
      </div>
    </Section>
  );
}
