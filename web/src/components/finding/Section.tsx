import { Title } from '@mantine/core';
import { createContext, useContext, useId, type ReactNode } from 'react';
import classes from './FindingDetail.module.css';

/** The level of the headings of sections: one below the finding's own. */
export const SectionLevel = createContext<2 | 3>(3);

/** A part of a finding under its heading. */
export function Section({ title, action, children }: { title: string; action?: ReactNode; children: ReactNode }) {
  const id = useId();
  return (
    <section className={classes.section} aria-labelledby={id}>
      <div className={classes.sectionHead}>
        <Title order={useContext(SectionLevel)} size="h6" id={id}>
          {title}
        </Title>
        {action}
      </div>
      {children}
    </section>
  );
}
