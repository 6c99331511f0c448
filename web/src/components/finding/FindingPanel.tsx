import { ActionIcon, Group, Tooltip } from '@mantine/core';
import { IconChevronDown, IconChevronUp, IconExternalLink, IconHash, IconLink, IconX } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useRef, useEffect } from 'react';
import { text } from '../../text';
import { CopyButton } from '../../ui/CopyButton';
import { FindingDetail } from './FindingDetail';
import classes from './FindingPanel.module.css';

/** A finding beside the list. */
export function FindingPanel({ id, take, onDecide, onClose, onNext, onPrevious }: {
  id: string;
  take: boolean;
  onDecide: (id: string) => void;
  onClose: () => void;
  onNext: (() => void) | null;
  onPrevious: (() => void) | null;
}) {
  const words = text.findings.panel;
  const body = useRef<HTMLDivElement>(null);
  useEffect(() => {
    body.current?.scrollTo({ top: 0 });
  }, [id]);
  return (
    <div className={classes.panel} data-keys="list">
      <Group className={classes.head} justify="space-between" wrap="nowrap" gap="xs">
        <Group gap={4} wrap="nowrap">
          <Tooltip label={words.previous}>
            <ActionIcon variant="subtle" color="gray" aria-label={words.previous} disabled={onPrevious === null} onClick={onPrevious ?? undefined}>
              <IconChevronUp size={18} />
            </ActionIcon>
          </Tooltip>
          <Tooltip label={words.next}>
            <ActionIcon variant="subtle" color="gray" aria-label={words.next} disabled={onNext === null} onClick={onNext ?? undefined}>
              <IconChevronDown size={18} />
            </ActionIcon>
          </Tooltip>
        </Group>
        <Group gap={4} wrap="nowrap">
          <CopyButton value={`${window.location.origin}/findings/${id}`} label={words.copyLink} icon={IconLink} />
          <CopyButton value={id} label={words.copyId} icon={IconHash} />
          <Tooltip label={words.page}>
            <ActionIcon variant="subtle" color="gray" aria-label={words.page} component={Link} to={`/findings/${id}`}>
              <IconExternalLink size={16} />
            </ActionIcon>
          </Tooltip>
          <Tooltip label={words.close}>
            <ActionIcon variant="subtle" color="gray" aria-label={words.close} onClick={onClose}>
              <IconX size={18} />
            </ActionIcon>
          </Tooltip>
        </Group>
      </Group>
      <div ref={body} className={classes.body}>
        <FindingDetail id={id} take={take} onDecide={onDecide} />
      </div>
    </div>
  );
}
