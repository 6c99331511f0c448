import { Kbd, Modal, Table } from '@mantine/core';
import { text } from '../../text';

/** What the keys do. */
export function KeysHelp({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const words = text.findings.keys;
  return (
    <Modal opened={opened} onClose={onClose} title={words.open} closeButtonProps={{ 'aria-label': text.shell.close }}>
      <Table verticalSpacing={6} aria-label={words.open}>
        <Table.Tbody>
          {words.list.map(([keys, does]) => (
            <Table.Tr key={keys}>
              <Table.Th scope="row" w={190} fw={400}>
                <Kbd>{keys}</Kbd>
              </Table.Th>
              <Table.Td>{does}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Modal>
  );
}
