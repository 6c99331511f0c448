import { Anchor, Badge, Group, SimpleGrid, Skeleton, Stack, Text } from '@mantine/core';
import { IconArrowLeft } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { issueQuery, type IssueDetail } from '../../api/issues';
import { IssueAdvice } from '../../components/issues/IssueAdvice';
import { IssueFindings } from '../../components/issues/IssueFindings';
import { IssueHistory } from '../../components/issues/IssueHistory';
import { IssueWork } from '../../components/issues/IssueWork';
import { text } from '../../text';
import { Card } from '../../ui/Card';
import { Fault } from '../../ui/Fault';
import { AnchorLink } from '../../ui/links';
import { Page } from '../../ui/Page';
import { Time } from '../../ui/Time';

/** One root cause: what mends it, the work on it, its findings and its history. */
export function IssuePage() {
  const words = text.issues;
  const { id } = useParams({ from: '/issues/$id' });
  const found = useQuery(issueQuery(id));
  const issue = found.data;
  return (
    <Page title={issue?.cause ?? words.title}>
      <Stack gap="xs">
        <AnchorLink size="sm" to="/issues" w="fit-content">
          <Group gap={4}>
            <IconArrowLeft size={16} aria-hidden /> {words.back}
          </Group>
        </AnchorLink>
        {issue && <About issue={issue} />}
      </Stack>
      {found.isError ? <Fault error={found.error} retry={() => void found.refetch()} /> : issue ? <Told key={issue.id} issue={issue} /> : <Waiting />}
    </Page>
  );
}

function About({ issue }: { issue: IssueDetail }) {
  const words = text.issues;
  return (
    <>
      <Group gap="xs">
        <Badge variant="light" color="gray" tt="none">
          {words.kinds[issue.kind] ?? issue.kind}
        </Badge>
        <Badge variant="light" color={issue.active > 0 ? 'blue' : 'gray'} tt="none">
          {words.states[issue.state] ?? issue.state}
        </Badge>
        <Text size="sm" c="dimmed">
          {words.since} <Time at={issue.state_since} />
          {issue.reopened ? ` · ${words.reopened(issue.reopened)}` : ''} · {issue.application || words.unassigned}
        </Text>
        {issue.ticket?.url && (
          <Anchor size="sm" href={issue.ticket.url} target="_blank" rel="noreferrer">
            {issue.ticket.key}
          </Anchor>
        )}
      </Group>
      {words.stateHelp[issue.state] && (
        <Text size="sm" c="dimmed">
          {words.stateHelp[issue.state]}
        </Text>
      )}
    </>
  );
}

function Told({ issue }: { issue: IssueDetail }) {
  const words = text.issues;
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
      <Stack gap="md">
        <Card title={words.mends}>
          <IssueAdvice issue={issue} />
        </Card>
        <Card title={words.findings}>
          <IssueFindings issue={issue} />
        </Card>
      </Stack>
      <Stack gap="md">
        <Card title={words.work}>
          <IssueWork issue={issue} />
        </Card>
        <Card title={words.history}>
          <IssueHistory events={issue.events} />
        </Card>
      </Stack>
    </SimpleGrid>
  );
}

function Waiting() {
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md" aria-hidden>
      <Stack gap="md">
        <Skeleton height={120} radius="md" />
        <Skeleton height={240} radius="md" />
      </Stack>
      <Stack gap="md">
        <Skeleton height={240} radius="md" />
        <Skeleton height={120} radius="md" />
      </Stack>
    </SimpleGrid>
  );
}
