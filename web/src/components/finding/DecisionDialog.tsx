import { Alert, Button, Group, Modal, Radio, Skeleton, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useQuery } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { ApiError } from '../../api/client';
import { newKey, previewQuery, useDecide, useUndo, type About } from '../../api/decisions';
import { number } from '../../lib/time';
import { text } from '../../text';
import { Fault } from '../../ui/Fault';
import classes from './DecisionDialog.module.css';
import { decisionOf, faultsOf, inDays, needsReason, verdicts, type Draft } from './decision';
import { SeverityMark } from './Severity';
import { StateBadge } from './State';

/** Asks what is decided, shows what it is about and what state that is in now, and offers to take it back. */
export function DecisionDialog({ about, onClose, onDone }: { about: About | null; onClose: () => void; onDone: () => void }) {
  return (
    <Modal opened={about !== null} onClose={onClose} title={text.findings.decide.title} size="lg" closeButtonProps={{ 'aria-label': text.shell.close }}>
      {about && <Form about={about} onClose={onClose} onDone={onDone} />}
    </Modal>
  );
}

function Form({ about, onClose, onDone }: { about: About; onClose: () => void; onDone: () => void }) {
  const words = text.findings.decide;
  const [draft, setDraft] = useState<Draft>({ verdict: 'triaged', reason: '', until: '', owner: '' });
  const [tried, setTried] = useState(false);
  const [key, setKey] = useState(newKey);
  const preview = useQuery(previewQuery(about));
  const decide = useDecide();
  const takeBack = useTakeBack();
  const faults = tried ? faultsOf(draft, new Date()) : [];
  const change = (more: Partial<Draft>) => {
    setDraft({ ...draft, ...more });
    setKey(newKey()); // another request than the one before
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (faultsOf(draft, new Date()).length > 0) return;
    decide.mutateAsync({ decision: { ...about, ...decisionOf(draft) }, key }).then(
      (accepted) => {
        tell(accepted.id, accepted.seq, number(accepted.findings ?? preview.data?.count ?? 1));
        onDone();
        onClose();
      },
      () => undefined, // the form shows it
    );
  };
  const tell = (decision: string | undefined, seq: number, count: string) => {
    const id = `decided-${seq}`;
    notifications.show({
      id,
      autoClose: 20_000,
      closeButtonProps: { 'aria-label': text.shell.close },
      message: (
        <Group justify="space-between" wrap="nowrap">
          <Text size="sm">{words.done(count, words.verdicts[draft.verdict] ?? draft.verdict)}</Text>
          {decision && (
            <Button
              size="compact-sm"
              variant="light"
              onClick={() => {
                notifications.hide(id);
                takeBack(decision);
              }}
            >
              {words.undo}
            </Button>
          )}
        </Group>
      ),
    });
  };
  const count = preview.data ? number(preview.data.count) : '…';
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <section aria-label={words.preview} className={classes.preview}>
          {preview.isPending ? (
            <Stack gap={8} aria-label={words.previewLoading}>
              <Skeleton h={14} w="50%" />
              <Skeleton h={14} w="70%" />
            </Stack>
          ) : preview.isError ? (
            <Fault error={preview.error} retry={() => void preview.refetch()} />
          ) : (
            <>
              <Text fw={600} size="sm">
                {words.about(count)}
              </Text>
              <Group gap="md">
                {Object.entries(preview.data.states).map(([state, n]) => (
                  <Group key={state} gap={6}>
                    <StateBadge state={state} />
                    <Text size="sm" c="dimmed">
                      {number(n)}
                    </Text>
                  </Group>
                ))}
              </Group>
              <ul className={classes.some} aria-label={words.some}>
                {preview.data.items.slice(0, 3).map((f) => (
                  <li key={f.id}>
                    <SeverityMark severity={f.severity} bare />
                    <span>{f.title}</span>
                  </li>
                ))}
              </ul>
            </>
          )}
        </section>
        <Radio.Group label={words.verdict} value={draft.verdict} onChange={(v) => change({ verdict: v })} required>
          <Stack gap={6} mt={6}>
            {verdicts.map((v, i) => (
              <Radio key={v} value={v} label={words.verdicts[v]} description={words.verdictHelp[v]} data-autofocus={i === 0 || undefined} />
            ))}
          </Stack>
        </Radio.Group>
        <Textarea
          label={words.reason}
          required={needsReason(draft.verdict)}
          error={faults.includes('reason') ? words.reasonNeeded : undefined}
          autosize
          minRows={2}
          maxRows={8}
          maxLength={10_000}
          value={draft.reason}
          onChange={(e) => change({ reason: e.currentTarget.value })}
        />
        {draft.verdict !== 'reopen' && (
          <Group grow align="start" className={classes.pair}>
            <Stack gap={6}>
              <TextInput label={words.until} description={words.untilHelp} type="date" min={inDays(1, new Date())} error={faults.includes('until') ? words.untilPast : undefined} value={draft.until} onChange={(e) => change({ until: e.currentTarget.value })} />
              <Group gap={4}>
                {[30, 90, 180].map((days) => (
                  <Button key={days} size="compact-xs" variant="default" onClick={() => change({ until: inDays(days, new Date()) })}>
                    {words.days(days)}
                  </Button>
                ))}
                <Button size="compact-xs" variant="default" onClick={() => change({ until: '' })}>
                  {words.noEnd}
                </Button>
              </Group>
            </Stack>
            <TextInput label={words.owner} description={words.ownerHelp} maxLength={200} value={draft.owner} onChange={(e) => change({ owner: e.currentTarget.value })} />
          </Group>
        )}
        {decide.isError && (decide.error instanceof ApiError ? <Fault error={decide.error} /> : <Alert color="red">{text.shell.error.title}</Alert>)}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {text.shell.cancel}
          </Button>
          <Button type="submit" loading={decide.isPending} disabled={preview.isError}>
            {words.submit(count)}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** Takes a decision back and tells what came of it, also when what asked for it is gone from the page. */
export function useTakeBack(): (id: string) => void {
  const words = text.findings.decide;
  const undo = useUndo();
  return (id) => {
    undo.mutateAsync(id).then(
      ({ restored, kept }) => notifications.show({ message: words.undone(restored, kept), closeButtonProps: { 'aria-label': text.shell.close } }),
      (error: unknown) => notifications.show({ color: 'red', title: words.undoFailed, message: <Fault error={error} />, autoClose: false, closeButtonProps: { 'aria-label': text.shell.close } }),
    );
  };
}
