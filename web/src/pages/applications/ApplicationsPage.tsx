import { Alert, Button, Group, Skeleton, Stack, Table, Tabs, Text, TextInput } from '@mantine/core';
import { IconBoxOff, IconFilterOff, IconHelpHexagon, IconLayoutGrid, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { lazy, Suspense, useMemo, useState } from 'react';
import { applicationsQuery, openByApplicationQuery, type Severities } from '../../api/applications';
import { coverageQuery } from '../../api/coverage';
import { isEverywhere, useSession } from '../../api/session';
import { ApplicationTree, sum } from '../../components/applications/ApplicationTree';
import { opensAtFirst, rows, search as searched, tree, type Node } from '../../components/applications/tree';
import { gapsByApplication } from '../../components/coverage/matrix';
import { term, terms } from '../../lib/term';
import { text } from '../../text';
import { Empty } from '../../ui/Empty';
import { Fault } from '../../ui/Fault';
import { AnchorLink, ButtonLink } from '../../ui/links';
import { Page } from '../../ui/Page';

const RulesTab = lazy(() => import('../../components/applications/RulesTab').then((m) => ({ default: m.RulesTab })));

/** Organisations, business units, applications and services, and the rules that make them. */
export function ApplicationsPage() {
  const words = text.applications;
  const { tab } = useSearch({ from: '/applications' });
  const navigate = useNavigate({ from: '/applications' });
  const admin = isEverywhere(useSession(), 'admin');
  if (!admin) {
    return (
      <Page title={words.title}>
        <Applications admin={false} />
      </Page>
    );
  }
  return (
    <Page title={words.title}>
      <Tabs value={tab === 'rules' ? 'rules' : 'list'} onChange={(to) => void navigate({ search: (was) => ({ ...was, tab: to === 'rules' ? 'rules' : undefined }) })} keepMounted={false}>
        <Tabs.List aria-label={words.tabs.label} mb="md">
          <Tabs.Tab value="list">{words.tabs.list}</Tabs.Tab>
          <Tabs.Tab value="rules">{words.tabs.rules}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="list">
          <Applications admin />
        </Tabs.Panel>
        <Tabs.Panel value="rules">
          <Suspense fallback={<Skeleton height={480} radius="sm" />}>
            <RulesTab />
          </Suspense>
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

function Applications({ admin }: { admin: boolean }) {
  const words = text.applications;
  const { q = '' } = useSearch({ from: '/applications' });
  const navigate = useNavigate({ from: '/applications' });
  const applications = useQuery(applicationsQuery);
  const open = useQuery(openByApplicationQuery);
  const coverage = useQuery(coverageQuery);
  const [touched, setTouched] = useState(new Map<string, boolean>());
  const nodes = useMemo(() => tree(applications.data ?? [], open.data ?? new Map<string, Severities>()), [applications.data, open.data]);
  const gaps = useMemo(() => (coverage.data ? gapsByApplication(coverage.data) : null), [coverage.data]);

  if (applications.isError) return <Fault error={applications.error} retry={() => void applications.refetch()} />;
  if (applications.isPending || open.isPending) return <Waiting />;
  const count = applications.data.length;
  const found = searched(nodes, q);
  const seen = rows(found, (node) => touched.get(node.id) ?? (q !== '' || opensAtFirst(node, count)));
  const toggleAll = (to: boolean) => {
    const all = new Map<string, boolean>();
    const visit = (node: Node) => {
      all.set(node.id, to);
      node.children.forEach(visit);
    };
    nodes.forEach(visit);
    setTouched(all);
  };
  const set = (value: string) => void navigate({ search: (was) => ({ ...was, q: value || undefined }), replace: true });
  return (
    <Stack gap="md">
      {open.isError && <Fault error={open.error} retry={() => void open.refetch()} />}
      {coverage.isError && <Fault error={coverage.error} retry={() => void coverage.refetch()} />}
      {count === 0 ? (
        <Empty icon={IconLayoutGrid} title={words.empty} action={admin && <ButtonLink to="/applications" search={{ tab: 'rules' }}>{words.emptyAction}</ButtonLink>}>
          {admin ? words.emptyHelp : words.emptyOther}
        </Empty>
      ) : (
        <>
          <Group justify="space-between" gap="xs">
            <TextInput aria-label={words.search} placeholder={words.search} leftSection={<IconSearch size={16} aria-hidden />} value={q} w={320} maw="100%" onChange={(e) => set(e.currentTarget.value)} />
            <Group gap="xs">
              <Button size="xs" variant="default" onClick={() => toggleAll(true)}>
                {words.expandAll}
              </Button>
              <Button size="xs" variant="default" onClick={() => toggleAll(false)}>
                {words.collapseAll}
              </Button>
            </Group>
          </Group>
          {found.length === 0 ? (
            <Empty icon={IconFilterOff} title={words.narrow} action={<Button variant="default" onClick={() => set('')}>{words.narrowClear}</Button>} />
          ) : (
            <ApplicationTree rows={seen} gaps={gaps} onToggle={(node, to) => setTouched(new Map(touched).set(node.id, to))} />
          )}
        </>
      )}
      <Unassigned n={sum(open.data?.get(''))} admin={admin} />
    </Stack>
  );
}

/** Findings that belong to no application, and what to do about them. */
function Unassigned({ n, admin }: { n: number; admin: boolean }) {
  const words = text.applications;
  if (n === 0) return null;
  return (
    <Alert color="yellow" icon={<IconBoxOff aria-hidden />} title={words.unassigned}>
      <Group justify="space-between" gap="sm">
        <Text size="sm">
          {words.unassignedHelp(n)} {!admin && words.unassignedOther}
        </Text>
        <Group gap="md">
          <AnchorLink size="sm" c="inherit" underline="always" to="/findings" search={{ tab: 'all', filter: terms(term('app', 'none', '='), 'is:open') }}>
            {words.showUnassigned}
          </AnchorLink>
          {admin && (
            <ButtonLink size="xs" variant="default" leftSection={<IconHelpHexagon size={16} aria-hidden />} to="/applications" search={{ tab: 'rules' }}>
              {words.unassignedAdmin}
            </ButtonLink>
          )}
        </Group>
      </Group>
    </Alert>
  );
}

function Waiting() {
  return (
    <Stack gap="md" aria-hidden>
      <Skeleton height={36} width={320} maw="100%" />
      <Table verticalSpacing={5}>
        <Table.Tbody>
          {[0, 24, 48, 48, 48, 24, 48, 48].map((indent, i) => (
            <Table.Tr key={i}>
              <Table.Td>
                <Skeleton height={16} my={4} ml={indent} maw={220} />
              </Table.Td>
              <Table.Td>
                <Skeleton height={16} my={4} maw={60} ml="auto" />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Stack>
  );
}
