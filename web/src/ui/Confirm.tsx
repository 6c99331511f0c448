import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { text } from '../text';
import { Fault } from './Fault';

/** Asks before something that cannot be taken back. The focus returns to what opened it. */
export function Confirm({ opened, title, children, action, pending, error, onConfirm, onClose }: {
  opened: boolean;
  title: string;
  children: string;
  action: string;
  pending: boolean;
  error: unknown;
  onConfirm: () => void;
  onClose: () => void;
}) {
  return (
    <Modal opened={opened} onClose={onClose} title={title} centered closeButtonProps={{ 'aria-label': text.shell.close }}>
      <Stack>
        <Text size="sm">{children}</Text>
        {error != null && <Fault error={error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {text.shell.cancel}
          </Button>
          <Button color="red" loading={pending} onClick={onConfirm}>
            {action}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
