import { Button, Group, SegmentedControl, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';
import { newKey } from '../../api/decisions';
import { useChangeIssue, type IssueChange, type IssueDetail } from '../../api/issues';
import { text } from '../../text';
import { Fault } from '../../ui/Fault';

/** Who works on it, how far it is, in which ticket: to read, and for developers of the application to change. */
export function IssueWork({ issue }: { issue: IssueDetail }) {
  const words = text.issues;
  const [form, setForm] = useState(() => formOf(issue));
  const [key, setKey] = useState(newKey);
  const save = useChangeIssue(issue.id);
  if (!issue.may_change) {
    return (
      <>
        <Text size="sm">{[issue.owner, issue.ticket?.key].filter(Boolean).join(' · ') || words.nobodyWorks}</Text>
        <Text size="sm" c="dimmed">
          {words.readOnly}
        </Text>
      </>
    );
  }
  const change = changeOf(issue, form);
  const set = (to: Partial<Form>) => {
    setForm({ ...form, ...to });
    setKey(newKey());
    save.reset();
  };
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (change) save.mutate({ change, key }, { onSuccess: () => setForm({ ...form, note: '' }) });
      }}
    >
      <Stack gap="sm">
        {issue.active > 0 && (
          <SegmentedControl
            aria-label={words.state}
            value={form.state}
            data={['open', 'in_progress'].map((value) => ({ value, label: words.states[value] ?? value }))}
            onChange={(state) => set({ state })}
          />
        )}
        <TextInput label={words.owner} value={form.owner} maxLength={200} onChange={(e) => set({ owner: e.currentTarget.value })} />
        <Group gap="sm" grow>
          <TextInput label={words.ticketKey} value={form.ticket} maxLength={100} onChange={(e) => set({ ticket: e.currentTarget.value })} />
          <TextInput label={words.ticketUrl} type="url" placeholder="https://" value={form.url} maxLength={2000} onChange={(e) => set({ url: e.currentTarget.value })} />
        </Group>
        <Textarea label={words.note} description={words.noteHelp} autosize minRows={2} maxLength={10000} value={form.note} onChange={(e) => set({ note: e.currentTarget.value })} />
        {save.isError && <Fault error={save.error} />}
        <Group gap="sm">
          <Button type="submit" disabled={!change} loading={save.isPending}>
            {words.save}
          </Button>
          {save.isSuccess && !change && (
            <Text size="sm" c="dimmed" role="status">
              {words.saved}
            </Text>
          )}
        </Group>
      </Stack>
    </form>
  );
}

interface Form {
  state: string;
  owner: string;
  ticket: string;
  url: string;
  note: string;
}

function formOf(issue: IssueDetail): Form {
  return { state: issue.state === 'in_progress' ? 'in_progress' : 'open', owner: issue.owner ?? '', ticket: issue.ticket?.key ?? '', url: issue.ticket?.url ?? '', note: '' };
}

/** What differs from what is known; null for nothing. */
function changeOf(issue: IssueDetail, form: Form): IssueChange | null {
  const was = formOf(issue);
  const change: IssueChange = {};
  if (form.owner.trim() !== was.owner) change.owner = form.owner.trim();
  if (issue.active > 0 && form.state !== was.state) change.state = form.state === 'in_progress' ? 'in_progress' : 'open';
  if (form.ticket.trim() !== was.ticket || form.url.trim() !== was.url) change.ticket = { key: form.ticket.trim(), url: form.url.trim() };
  if (form.note.trim()) change.note = form.note.trim();
  return Object.keys(change).length > 0 ? change : null;
}
