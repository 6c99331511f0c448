import { Button, Group, Modal, Skeleton, Stack, Text, Textarea } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useQuery } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { newKey } from '../../api/decisions';
import { linkPreviewQuery, useLink, useUndoLink, type Link } from '../../api/dedup';
import { text } from '../../text';
import { Fault } from '../../ui/Fault';
import classes from './DecisionDialog.module.css';

/** Asks whether findings are to be joined or told apart, shows what that changes, and offers to take it back. */
export function LinkDialog({ about, onClose, onDone }: { about: { link: Link; about: string } | null; onClose: () => void; onDone?: () => void }) {
  const words = text.dedup.dialog;
  return (
    <Modal opened={about !== null} onClose={onClose} title={about ? words.title[about.link.kind] : ''} closeButtonProps={{ 'aria-label': text.shell.close }}>
      {about && <Form link={about.link} about={about.about} onClose={onClose} onDone={onDone} />}
    </Modal>
  );
}

function Form({ link, about, onClose, onDone }: { link: Link; about: string; onClose: () => void; onDone: (() => void) | undefined }) {
  const words = text.dedup.dialog;
  const [reason, setReason] = useState('');
  const [key] = useState(newKey);
  const preview = useQuery(linkPreviewQuery(link));
  const say = useLink();
  const takeBack = useTakeBackLink();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    say.mutateAsync({ link: reason ? { ...link, reason } : link, key }).then(
      (accepted) => {
        const id = `linked-${accepted.seq}`;
        notifications.show({
          id,
          autoClose: 20_000,
          closeButtonProps: { 'aria-label': text.shell.close },
          message: (
            <Group justify="space-between" wrap="nowrap">
              <Text size="sm">{words.done}</Text>
              <Button
                size="compact-sm"
                variant="light"
                onClick={() => {
                  notifications.hide(id);
                  takeBack(accepted.id!);
                }}
              >
                {words.undo}
              </Button>
            </Group>
          ),
        });
        onDone?.();
        onClose();
      },
      () => undefined, // the form shows it
    );
  };
  const same = preview.data && JSON.stringify(preview.data.before) === JSON.stringify(preview.data.after);
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <Text size="sm">{about}</Text>
        <section aria-label={words.preview} className={classes.preview}>
          {preview.isPending ? (
            <Skeleton h={14} w="60%" aria-label={words.previewLoading} />
          ) : preview.isError ? (
            <Fault error={preview.error} retry={() => void preview.refetch()} />
          ) : same ? (
            <Text size="sm">{words.unchanged}</Text>
          ) : (
            <>
              <Clusters when={words.now} clusters={preview.data.before} />
              <Clusters when={words.then} clusters={preview.data.after} />
            </>
          )}
        </section>
        <Textarea label={words.reason} autosize minRows={2} maxRows={8} maxLength={10_000} value={reason} onChange={(e) => setReason(e.currentTarget.value)} data-autofocus />
        {say.isError && <Fault error={say.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {text.shell.cancel}
          </Button>
          <Button type="submit" loading={say.isPending} disabled={preview.isError}>
            {{ different: words.submit, never: words.submitNever, same: words.submitSame }[link.kind]}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Clusters({ when, clusters }: { when: string; clusters: (string[] | null)[] }) {
  const words = text.dedup.dialog;
  return (
    <Text size="sm">
      <b>{when}:</b> {clusters.length === 0 ? words.alone : clusters.map((c) => words.together(c?.length ?? 0)).join(', ')}
    </Text>
  );
}

/** Takes a link back and tells what came of it. */
export function useTakeBackLink(): (id: string) => void {
  const words = text.dedup.dialog;
  const undo = useUndoLink();
  return (id) => {
    undo.mutateAsync(id).then(
      () => notifications.show({ message: words.undone, closeButtonProps: { 'aria-label': text.shell.close } }),
      (error: unknown) => notifications.show({ color: 'red', title: words.undoFailed, message: <Fault error={error} />, autoClose: false, closeButtonProps: { 'aria-label': text.shell.close } }),
    );
  };
}
