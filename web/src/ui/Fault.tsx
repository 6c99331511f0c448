import { Alert, Anchor, Button, Code, Group, Stack, Text } from '@mantine/core';
import { IconAlertTriangle, IconLock, IconMapOff, IconPlugConnectedX } from '@tabler/icons-react';
import { ApiError } from '../api/client';
import { sentence } from '../lib/sentence';
import { text } from '../text';

/** An error with its own face: what happened, what to do next, and the id under which the server's log knows it. */
export function Fault({ error, retry }: { error: unknown; retry?: () => void }) {
  const words = text.shell.error;
  const problem = error instanceof ApiError ? error.problem : null;
  const face = faceOf(problem?.code, problem?.status);
  return (
    <Alert role="alert" color={face.color} icon={<face.icon aria-hidden />} title={face.title}>
      <Stack gap="xs">
        <Text size="sm">{face.help ?? (problem?.detail ? sentence(problem.detail) : words.brokenHelp)}</Text>
        {problem?.where && <Text size="sm">{problem.where}</Text>}
        {problem?.next && <Text size="sm">{sentence(problem.next)}</Text>}
        <Group gap="sm">
          {retry && (
            <Button size="xs" variant="default" onClick={retry}>
              {words.retry}
            </Button>
          )}
          {problem?.request_id && (
            <Text size="xs" c="dimmed">
              {words.request} <Code>{problem.request_id}</Code>
            </Text>
          )}
        </Group>
      </Stack>
    </Alert>
  );
}

function faceOf(code: string | undefined, status: number | undefined) {
  const words = text.shell.error;
  if (code === 'denied') return { color: 'yellow', icon: IconLock, title: words.denied, help: words.deniedHelp };
  if (code === 'not_found') return { color: 'gray', icon: IconMapOff, title: words.notFound, help: words.notFoundHelp };
  if (status === 0) return { color: 'red', icon: IconPlugConnectedX, title: words.unreachable, help: undefined };
  return { color: 'red', icon: IconAlertTriangle, title: words.title, help: undefined };
}

/** What is shown in place of a page whose code failed. */
export function Broken({ error }: { error: unknown }) {
  const words = text.shell.error;
  return (
    <Stack p="md" gap="md">
      {error instanceof ApiError ? <Fault error={error} /> : (
        <Alert role="alert" color="red" icon={<IconAlertTriangle aria-hidden />} title={words.broken}>
          <Text size="sm">{words.brokenHelp}</Text>
        </Alert>
      )}
      <Group>
        <Button variant="default" onClick={() => window.location.reload()}>{words.reload}</Button>
        <Anchor href="/findings">{words.home}</Anchor>
      </Group>
    </Stack>
  );
}
