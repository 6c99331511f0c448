import { Popover, Stack, Text, Title, UnstyledButton, VisuallyHidden } from '@mantine/core';
import { useState } from 'react';
import type { CoverageRow } from '../../api/coverage';
import { isEverywhere, isSomewhere, useSession } from '../../api/session';
import { text } from '../../text';
import { AnchorLink } from '../../ui/links';
import { Time } from '../../ui/Time';
import classes from './coverage.module.css';
import { GapMark } from './GapMark';
import { isGap } from './matrix';

/** One application and one test: what is missing in a word, and everything about it on demand. */
export function CoverageCell({ cell }: { cell: CoverageRow }) {
  const words = text.coverage;
  const [opened, setOpened] = useState(false);
  const application = cell.application || words.unassigned;
  const test = words.tests[cell.test] ?? cell.test;
  return (
    <Popover opened={opened} onChange={setOpened} width={340} position="bottom-start" withArrow shadow="md" trapFocus returnFocus>
      <Popover.Target>
        <UnstyledButton className={classes.cell} onClick={() => setOpened(!opened)} aria-haspopup="dialog">
          <VisuallyHidden>{words.cell(test, application)}</VisuallyHidden>
          <GapMark gap={cell.gap} />
          {cell.last && (
            <span className={classes.when}>
              <Time at={cell.last} />
            </span>
          )}
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="xs">
          <div>
            <Title order={2} size="h6">
              {application}: {test}
            </Title>
            <Text size="xs" c="dimmed">
              {words.testHelp[cell.test]}
            </Text>
          </div>
          <GapMark gap={cell.gap} />
          <Text size="sm">{words.gapHelp[cell.gap]}</Text>
          <CellFacts cell={cell} />
          {isGap(cell.gap) && <Closing cell={cell} />}
          {cell.streams > 0 && (
            <AnchorLink size="sm" to="/coverage" search={{ tab: 'streams', app: cell.application || 'none' }}>
              {words.showStreams}
            </AnchorLink>
          )}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}

export function CellFacts({ cell }: { cell: CoverageRow }) {
  const words = text.coverage;
  return (
    <dl className={classes.facts}>
      <dt>{words.required}</dt>
      <dd>{!cell.required ? words.notRequired : cell.every > 0 ? words.every(cell.every) : words.once}</dd>
      {cell.last && (
        <>
          <dt>{words.last}</dt>
          <dd>
            <Time at={cell.last} />
          </dd>
        </>
      )}
      {cell.due && (
        <>
          <dt>{cell.gap === 'overdue' ? words.wasDue : words.due}</dt>
          <dd>
            <Time at={cell.due} />
          </dd>
        </>
      )}
      {cell.streams > 0 && (
        <>
          <dt>{words.scope}</dt>
          <dd>
            {words.scopes[cell.scope ?? ''] ?? cell.scope}
            {cell.basis && `, ${words.bases[cell.basis] ?? cell.basis}`}
          </dd>
          <dt>{words.tools}</dt>
          <dd>
            {cell.tools.join(', ')} ({words.streams(cell.streams)})
          </dd>
        </>
      )}
    </dl>
  );
}

/** How a gap is closed, with the way there. */
function Closing({ cell }: { cell: CoverageRow }) {
  const words = text.coverage;
  const session = useSession();
  return (
    <Stack gap={4}>
      <Text size="sm" fw={600}>
        {words.closeTitle}
      </Text>
      <Text size="sm">{words.close[cell.gap]}</Text>
      {isSomewhere(session, 'developer') && (
        <AnchorLink size="sm" to="/import">
          {words.import}
        </AnchorLink>
      )}
      {isEverywhere(session, 'admin') && (
        <>
          <Text size="xs" c="dimmed">
            {words.relax}
          </Text>
          <AnchorLink size="sm" to="/applications" search={{ tab: 'rules' }}>
            {words.rules}
          </AnchorLink>
        </>
      )}
    </Stack>
  );
}
