/** The frame of a page: its heading with the actions beside it, and sections between hairlines. */
import { type ReactNode, useId } from 'react';
import classes from '#studio/parts/parts.module.css';

export function PageHeader({ title, lead, children }: { title: string; lead: ReactNode; children?: ReactNode }) {
  return (
    <header className={classes.header}>
      <div className={classes.headerText}>
        <h1 className={classes.title}>{title}</h1>
        <p className={classes.lead}>{lead}</p>
      </div>
      {children !== undefined && <div className={classes.actions}>{children}</div>}
    </header>
  );
}

/** Errors and progress of a whole page, under its heading. Takes no space when there are none. */
export function Notes({ children }: { children: ReactNode }) {
  return <div className={classes.notes}>{children}</div>;
}

interface SectionProps {
  title: string;
  /** Beside the title, at the far end. */
  extra?: ReactNode;
  className?: string;
  children: ReactNode;
}

export function Section({ title, extra, className, children }: SectionProps) {
  const id = useId();
  return (
    <section className={className === undefined ? classes.section : `${classes.section} ${className}`} aria-labelledby={id}>
      <div className={classes.sectionHead}>
        <h2 className={classes.sectionTitle} id={id}>
          {title}
        </h2>
        {extra !== undefined && <div className={classes.sectionExtra}>{extra}</div>}
      </div>
      {children}
    </section>
  );
}

/** Pairs of a label and its value, between hairlines. */
export function Facts({ facts }: { facts: readonly (readonly [label: string, value: ReactNode])[] }) {
  return (
    <dl className={classes.facts}>
      {facts.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
