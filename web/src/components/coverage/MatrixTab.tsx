import { Button, Card, Chip, Group, Select, Skeleton, Stack, Table, Text, Title, Tooltip } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { IconFilterOff, IconShieldQuestion } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useMemo } from 'react';
import { coverageQuery, type CoverageRow, type Gap } from '../../api/coverage';
import { number } from '../../lib/time';
import { text } from '../../text';
import { Empty } from '../../ui/Empty';
import { Fault } from '../../ui/Fault';
import { ButtonLink } from '../../ui/links';
import { CoverageCell } from './CoverageCell';
import classes from './coverage.module.css';
import { columns, countGaps, fits, matrix, narrowed, type MatrixRow } from './matrix';

/** Applications by tests: what was done, and what is missing. */
export function MatrixTab() {
  const words = text.coverage;
  const coverage = useQuery(coverageQuery);
  const { gap, app } = useSearch({ from: '/coverage' });
  const navigate = useNavigate({ from: '/coverage' });
  const narrow = useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false });
  const all = useMemo(() => matrix(coverage.data ?? []), [coverage.data]);
  if (coverage.isError) return <Fault error={coverage.error} retry={() => void coverage.refetch()} />;
  if (coverage.isPending) return <Waiting />;
  if (all.length === 0) {
    return (
      <Empty icon={IconShieldQuestion} title={words.empty} action={<ButtonLink to="/import">{words.emptyAction}</ButtonLink>}>
        {words.emptyHelp}
      </Empty>
    );
  }
  const counts = countGaps(coverage.data);
  const missing = counts.failed + counts.never + counts.overdue;
  const rows = narrowed(all, { app: app === 'none' ? '' : app, gap });
  return (
    <Stack gap="md">
      <Text size="sm" c="dimmed">
        {words.about}
      </Text>
      <Group justify="space-between" gap="sm">
        <Group gap="sm">
          <GapFilter counts={counts} missing={missing} gap={gap} onChange={(to) => void navigate({ search: (was) => ({ ...was, gap: to }), replace: true })} />
        </Group>
        <Applications rows={all} app={app} onChange={(to) => void navigate({ search: (was) => ({ ...was, app: to }), replace: true })} />
      </Group>
      <Text size="sm" role="status">
        {words.summary(missing)}
      </Text>
      {rows.length === 0 ? (
        <Empty icon={IconFilterOff} title={words.narrow} action={<Button variant="default" onClick={() => void navigate({ search: {} })}>{words.narrowClear}</Button>} />
      ) : narrow ? (
        <Cards rows={rows} tests={columns(coverage.data)} gap={gap} />
      ) : (
        <Matrix rows={rows} tests={columns(coverage.data)} />
      )}
    </Stack>
  );
}

function GapFilter({ counts, missing, gap, onChange }: { counts: Record<Gap, number>; missing: number; gap: string | undefined; onChange: (gap: string | undefined) => void }) {
  const words = text.coverage;
  const choices = [
    { value: '', label: words.any },
    { value: 'any', label: words.anyGap, n: missing },
    ...(['failed', 'never', 'overdue', 'none'] as const).map((value) => ({ value: value as string, label: words.gaps[value] ?? value, n: counts[value] })),
  ];
  return (
    <Chip.Group value={gap ?? ''} onChange={(value) => onChange(value || undefined)}>
      <Group gap={6} role="radiogroup" aria-label={words.gap}>
        {choices.map(({ value, label, n }) => (
          <Chip key={value} value={value} size="xs">
            {label} {n !== undefined && number(n)}
          </Chip>
        ))}
      </Group>
    </Chip.Group>
  );
}

function Applications({ rows, app, onChange }: { rows: MatrixRow[]; app: string | undefined; onChange: (app: string | undefined) => void }) {
  const words = text.coverage;
  return (
    <Select
      size="xs"
      w={220}
      searchable
      clearable
      clearButtonProps={{ 'aria-label': text.shell.remove }}
      limit={100}
      aria-label={words.application}
      placeholder={words.anyApplication}
      value={app ?? null}
      data={rows.map((row) => ({ value: row.application || 'none', label: row.application || words.unassigned }))}
      onChange={(value) => onChange(value ?? undefined)}
    />
  );
}

function Matrix({ rows, tests }: { rows: MatrixRow[]; tests: string[] }) {
  const words = text.coverage;
  return (
    <Table.ScrollContainer minWidth={200 + tests.length * 130} scrollAreaProps={{ type: 'auto' }}>
      <Table verticalSpacing={4} horizontalSpacing="xs" aria-label={words.matrix}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col" className={classes.sticky}>
              {words.application}
            </Table.Th>
            {tests.map((test) => (
              <Table.Th key={test} scope="col">
                <Tooltip label={words.testHelp[test]} openDelay={300}>
                  <span>{words.tests[test] ?? test}</span>
                </Tooltip>
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.application}>
              <Table.Th scope="row" fw={550} className={classes.sticky}>
                {row.application || words.unassigned}
                {row.place && (
                  <Text size="xs" c="dimmed">
                    {row.place}
                  </Text>
                )}
              </Table.Th>
              {tests.map((test) => (
                <Table.Td key={test}>
                  <Cell cell={row.cells.get(test)} />
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Cell({ cell }: { cell: CoverageRow | undefined }) {
  return cell ? <CoverageCell cell={cell} /> : <Text size="sm" c="dimmed">–</Text>;
}

function Cards({ rows, tests, gap }: { rows: MatrixRow[]; tests: string[]; gap: string | undefined }) {
  const words = text.coverage;
  return (
    <Stack gap="sm">
      {rows.map((row) => (
        <Card key={row.application} withBorder padding="sm" component="section">
          <Title order={2} size="h6">
            {row.application || words.unassigned}
          </Title>
          {row.place && (
            <Text size="xs" c="dimmed">
              {row.place}
            </Text>
          )}
          <ul className={classes.list}>
            {tests
              .map((test) => row.cells.get(test))
              .filter((cell) => cell && fits(cell.gap, gap))
              .map((cell) => (
                <Group key={cell!.test} component="li" justify="space-between" gap="xs" wrap="nowrap">
                  <Text size="sm">{words.tests[cell!.test] ?? cell!.test}</Text>
                  <CoverageCell cell={cell!} />
                </Group>
              ))}
          </ul>
        </Card>
      ))}
    </Stack>
  );
}

function Waiting() {
  return (
    <Stack gap="md" aria-hidden>
      <Skeleton height={16} maw={640} />
      <Skeleton height={28} maw={420} />
      <Table verticalSpacing={4}>
        <Table.Tbody>
          {[1, 2, 3, 4, 5].map((i) => (
            <Table.Tr key={i}>
              {[1, 2, 3, 4, 5].map((j) => (
                <Table.Td key={j}>
                  <Skeleton height={32} maw={110} />
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Stack>
  );
}
