import { Button, Group } from '@mantine/core';
import { IconCircleCheck, IconFilterOff, IconLock, IconPlugConnectedX, IconRadar2 } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { coverageQuery } from '../../api/coverage';
import { countsQuery } from '../../api/findings';
import { isSomewhere, useSession } from '../../api/session';
import { drop, terms } from '../../lib/filter';
import { number } from '../../lib/time';
import { text } from '../../text';
import { Empty } from '../../ui/Empty';
import { Fault } from '../../ui/Fault';
import { emptinessOf } from './emptiness';
import { ListWaiting } from './ListWaiting';

/** An empty list that says why it is empty, and what to do. */
export function FindingEmpty({ filter, priority, apply, showAll }: { filter: string; priority: boolean; apply: (filter: string) => void; showAll: () => void }) {
  const words = text.findings.empty;
  const session = useSession();
  const mayRead = isSomewhere(session, 'viewer');
  const others = useQuery({ ...countsQuery(''), enabled: mayRead });
  const coverage = useQuery({ ...coverageQuery, enabled: mayRead });
  if (mayRead && (others.isPending || coverage.isPending)) return <ListWaiting rows={3} />;
  const failed = others.error ?? coverage.error;
  if (failed) return <Fault error={failed} retry={() => void Promise.all([others.refetch(), coverage.refetch()])} />;
  const why = emptinessOf({ mayRead, filter, priority, others: others.data?.total ?? 0, coverage: coverage.data ?? [] });
  const count = (n: number) => (others.data?.capped ? text.shell.capped(number(n)) : number(n));
  switch (why.kind) {
    case 'denied':
      return <Empty icon={IconLock} title={words.denied}>{words.deniedHelp}</Empty>;
    case 'unscanned':
      return (
        <Empty icon={IconRadar2} title={words.unscanned} action={isSomewhere(session, 'developer') && <Button component={Link} to="/import">{words.toImport}</Button>}>
          {words.unscannedHelp}
        </Empty>
      );
    case 'broken':
      return (
        <Empty icon={IconPlugConnectedX} title={words.broken} action={<Button variant="default" component={Link} to="/coverage">{words.toGaps}</Button>}>
          {words.brokenHelp(why.places)}
        </Empty>
      );
    case 'narrow': {
      const list = terms(filter);
      return (
        <Empty
          icon={IconFilterOff}
          title={words.narrow}
          action={
            <Group justify="center" gap="xs">
              {list.length > 1 &&
                list.slice(0, 6).map((t) => (
                  <Button key={t.start} size="xs" variant="default" onClick={() => apply(drop(filter, t))}>
                    {words.dropTerm(filter.slice(t.start, t.end))}
                  </Button>
                ))}
              <Button size="xs" onClick={() => apply('')}>
                {words.clear}
              </Button>
            </Group>
          }
        >
          {words.narrowHelp(count(why.others))}
        </Empty>
      );
    }
    case 'calm':
      return (
        <Empty icon={IconCircleCheck} title={words.calm} action={<Button variant="default" onClick={showAll}>{words.calmNext}</Button>}>
          {words.calmHelp(count(why.others))}
        </Empty>
      );
    case 'covered':
      return (
        <Empty icon={IconCircleCheck} title={words.covered} action={<Button variant="default" component={Link} to="/coverage">{words.toCoverage}</Button>}>
          {words.coveredHelp(why.streams)}
        </Empty>
      );
  }
}
