import { Button, Card, Group, Skeleton, Stack, Table, Text } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { IconFileImport } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { snapshotsQuery, type ImportInfo } from '../../api/imports';
import { text } from '../../text';
import { Empty } from '../../ui/Empty';
import { Fault } from '../../ui/Fault';
import { AnchorLink } from '../../ui/links';
import { Time } from '../../ui/Time';
import { OutcomeLine } from './Outcome';

/** What was received, newest first: a table, or cards where there is no room for one. */
export function RecentImports() {
  const words = text.imports.recent;
  const narrow = useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false });
  const imports = useInfiniteQuery(snapshotsQuery());
  if (imports.isPending) return <Waiting narrow={narrow} />;
  if (imports.isError) return <Fault error={imports.error} retry={() => void imports.refetch()} />;
  const all = imports.data.pages.flatMap((page) => page.items);
  if (all.length === 0) {
    return (
      <Empty icon={IconFileImport} title={words.empty}>
        {words.emptyHelp}
      </Empty>
    );
  }
  return (
    <Stack gap="sm">
      {narrow ? <Cards all={all} /> : <Rows all={all} />}
      {imports.hasNextPage && (
        <Group justify="center">
          <Button variant="default" loading={imports.isFetchingNextPage} onClick={() => void imports.fetchNextPage()}>
            {words.more}
          </Button>
        </Group>
      )}
    </Stack>
  );
}

function Rows({ all }: { all: ImportInfo[] }) {
  const words = text.imports.recent;
  return (
    <Table.ScrollContainer minWidth={720} scrollAreaProps={{ type: 'auto' }}>
      <Table verticalSpacing={6} aria-label={words.title} layout="auto">
        <Head />
        <Table.Tbody>
          {all.map((one) => (
            <Table.Tr key={one.id}>
              <Table.Th scope="row" fw={500}>
                <ReportLink one={one} />
              </Table.Th>
              <Table.Td>{one.tool_name || one.stream?.tool}</Table.Td>
              <Table.Td>
                <Place one={one} />
              </Table.Td>
              <Table.Td>
                <OutcomeLine info={one} />
              </Table.Td>
              <Table.Td>
                <Text size="sm" c="dimmed" span>
                  <Time at={one.received} />
                </Text>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Head() {
  const words = text.imports.recent;
  return (
    <Table.Thead>
      <Table.Tr>
        {[words.report, words.tool, words.target, words.result, words.received].map((name) => (
          <Table.Th key={name} scope="col">
            {name}
          </Table.Th>
        ))}
      </Table.Tr>
    </Table.Thead>
  );
}

function Cards({ all }: { all: ImportInfo[] }) {
  return (
    <Stack gap="xs" component="ul" p={0} m={0} aria-label={text.imports.recent.title}>
      {all.map((one) => (
        <Card key={one.id} component="li" withBorder padding="sm">
          <Stack gap={4}>
            <Group justify="space-between" gap="xs">
              <ReportLink one={one} />
              <Text size="xs" c="dimmed">
                <Time at={one.received} />
              </Text>
            </Group>
            <Text size="sm" c="dimmed" component="div">
              {one.tool_name || one.stream?.tool} · <Place one={one} />
            </Text>
            <OutcomeLine info={one} />
          </Stack>
        </Card>
      ))}
    </Stack>
  );
}

function ReportLink({ one }: { one: ImportInfo }) {
  return (
    <AnchorLink size="sm" fw={550} to="/import/$id" params={{ id: one.id }}>
      {one.report || text.imports.snapshot.unnamed}
    </AnchorLink>
  );
}

function Place({ one }: { one: ImportInfo }) {
  return (
    <Text size="sm" span c="dimmed">
      {one.stream?.target}
      {one.stream?.ref && ` @ ${one.stream.ref}`}
      {one.stream?.label && ` (${one.stream.label})`}
    </Text>
  );
}

/** The shape of the list before it is there. */
function Waiting({ narrow }: { narrow: boolean | undefined }) {
  if (narrow) {
    return (
      <Stack gap="xs" aria-hidden>
        {[1, 2, 3, 4].map((i) => (
          <Skeleton key={i} height={92} radius="sm" />
        ))}
      </Stack>
    );
  }
  return (
    <Table verticalSpacing={6} aria-hidden>
      <Head />
      <Table.Tbody>
        {[1, 2, 3, 4, 5, 6].map((i) => (
          <Table.Tr key={i}>
            {[160, 80, 220, 200, 80].map((width, j) => (
              <Table.Td key={j}>
                <Skeleton height={14} my={3} maw={width} />
              </Table.Td>
            ))}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
