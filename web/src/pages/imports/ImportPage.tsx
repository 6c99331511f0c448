import { Anchor, Button, Group, Stack, Text, Title, VisuallyHidden } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useState } from 'react';
import { formatsQuery } from '../../api/imports';
import { isSomewhere, useSession } from '../../api/session';
import { Onboarding } from '../../components/Onboarding';
import { declaration, empty, remember, remembered, valid, type Form } from '../../components/imports/declared';
import { DeclareFields } from '../../components/imports/DeclareFields';
import { DropZone } from '../../components/imports/DropZone';
import { over, ready, running } from '../../components/imports/queue';
import { RecentImports } from '../../components/imports/RecentImports';
import { UploadList } from '../../components/imports/UploadList';
import { uploads, useUploads } from '../../components/imports/uploads';
import { text } from '../../text';
import { Denied } from '../../ui/Denied';
import { Page } from '../../ui/Page';

/** Reports go in here: recognised, declared, sent, and told what they changed. */
export function ImportPage() {
  const words = text.imports;
  const session = useSession();
  const formats = useQuery(formatsQuery).data ?? [];
  const items = useUploads();
  const [form, setForm] = useState<Form>(() => remembered(localStorage));
  const prefilled = useMemo(() => !empty(remembered(localStorage)), []);
  const user = session?.user.id ?? '';
  useEffect(() => uploads.belongTo(user), [user]);

  const sending = items.filter((i) => running(i.phase) || i.phase === 'waiting').length;
  useEffect(() => {
    if (sending === 0) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener('beforeunload', ask);
    return () => window.removeEventListener('beforeunload', ask);
  }, [sending]);

  if (!isSomewhere(session, 'developer')) return <Page title={words.title}><Denied /></Page>;
  const waiting = items.filter(ready).length;
  const finished = items.filter((i) => over(i.phase));
  const refused = items.filter((i) => i.phase === 'refused');
  const start = () => {
    remember(localStorage, form);
    uploads.start(declaration(form));
  };
  const again = (id: number) => {
    remember(localStorage, form);
    uploads.again(id, declaration(form));
  };
  return (
    <Page title={words.title}>
      <Onboarding />
      <DropZone formats={formats.map((f) => f.name)} onFiles={(files) => uploads.add(files)} />
      {items.length > 0 && (
        <Stack gap="md" component="section" aria-label={words.queue.title}>
          {items.some((i) => i.phase !== 'done') && <DeclareFields form={form} prefilled={prefilled} onChange={setForm} />}
          <Group justify="space-between" gap="xs">
            <Group gap="sm">
              <Button disabled={waiting === 0 || !valid(form)} onClick={start}>
                {words.queue.start(waiting)}
              </Button>
              {refused.length > 1 && (
                <Button variant="default" disabled={!valid(form)} onClick={() => refused.forEach((i) => again(i.id))}>
                  {words.queue.allAgain(refused.length)}
                </Button>
              )}
              {sending > 0 && (
                <Text size="sm" c="dimmed">
                  {words.queue.left}
                </Text>
              )}
            </Group>
            {finished.length > 0 && (
              <Anchor component="button" type="button" size="sm" onClick={() => uploads.clearFinished()}>
                {words.queue.clear}
              </Anchor>
            )}
          </Group>
          <UploadList items={items} formats={formats} queue={uploads} onAgain={again} />
          <VisuallyHidden role="status">
            {sending === 0 && finished.length > 0 && words.queue.announce(finished.filter((i) => i.phase === 'done').length, finished.filter((i) => i.phase === 'refused').length)}
          </VisuallyHidden>
        </Stack>
      )}
      <Stack gap="xs" component="section" aria-labelledby="recent-imports">
        <Title order={2} size="h5" id="recent-imports">
          {words.recent.title}
        </Title>
        <RecentImports />
      </Stack>
    </Page>
  );
}
