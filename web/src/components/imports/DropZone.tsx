import { Button, Group, Stack, Text } from '@mantine/core';
import { IconFolderOpen, IconUpload } from '@tabler/icons-react';
import { useEffect, useRef, useState, type ChangeEvent, type DragEvent } from 'react';
import { text } from '../../text';
import { chosen, dropped, maxFiles, type Dropped } from './files';
import classes from './imports.module.css';

/** Takes files and folders, by drag and drop anywhere on the page or by buttons. */
export function DropZone({ formats, onFiles }: { formats: string[]; onFiles: (files: Dropped[]) => void }) {
  const words = text.imports.drop;
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [note, setNote] = useState('');
  useEffect(() => {
    // React knows no such attribute; every browser we support does.
    folder.current?.setAttribute('webkitdirectory', '');
    // A file that misses the zone must not open in place of the page.
    const stop = (event: globalThis.DragEvent) => event.preventDefault();
    window.addEventListener('dragover', stop);
    window.addEventListener('drop', stop);
    return () => {
      window.removeEventListener('dragover', stop);
      window.removeEventListener('drop', stop);
    };
  }, []);

  const take = ({ files, more }: { files: Dropped[]; more: boolean }) => {
    setNote(files.length === 0 ? words.empty : more ? words.tooMany(maxFiles) : '');
    if (files.length > 0) onFiles(files);
  };
  const choose = (event: ChangeEvent<HTMLInputElement>) => {
    take(chosen(event.currentTarget.files ?? []));
    event.currentTarget.value = ''; // the same file can be chosen again
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    dropped(event.dataTransfer).then(take, () => setNote(words.empty));
  };
  return (
    <section
      aria-label={words.label}
      className={classes.zone}
      data-over={over || undefined}
      onDragEnter={() => setOver(true)}
      onDragOver={(event) => {
        event.preventDefault();
        event.dataTransfer.dropEffect = 'copy';
        setOver(true);
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={drop}
    >
      <Stack align="center" gap={10} ta="center">
        <IconUpload size={28} stroke={1.6} aria-hidden className={classes.zoneIcon} />
        <Text fw={600}>{over ? words.release : words.title}</Text>
        <Text size="sm" c="dimmed" maw={620}>
          {words.hint} {formats.length > 0 && words.formats(formats)}
        </Text>
        <Group gap="xs" justify="center">
          <Button size="sm" leftSection={<IconUpload size={16} aria-hidden />} onClick={() => files.current?.click()}>
            {words.files}
          </Button>
          <Button size="sm" variant="default" leftSection={<IconFolderOpen size={16} aria-hidden />} onClick={() => folder.current?.click()}>
            {words.folder}
          </Button>
        </Group>
        <Text size="sm" role="status">
          {note}
        </Text>
      </Stack>
      <input ref={files} type="file" multiple hidden aria-label={words.files} onChange={choose} />
      <input ref={folder} type="file" multiple hidden aria-label={words.folder} onChange={choose} />
    </section>
  );
}
