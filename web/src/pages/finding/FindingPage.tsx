import { Box, Group } from '@mantine/core';
import { IconHash, IconLink } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import type { About } from '../../api/decisions';
import { findingQuery } from '../../api/findings';
import { DecisionDialog } from '../../components/finding/DecisionDialog';
import { FindingDetail } from '../../components/finding/FindingDetail';
import { text } from '../../text';
import { CopyButton } from '../../ui/CopyButton';
import { AnchorLink } from '../../ui/links';

const route = getRouteApi('/findings/$id');

/** One finding on a page of its own: the address that is sent to others. */
export function FindingPage() {
  const { id } = route.useParams();
  const words = text.findings;
  const [deciding, setDeciding] = useState<About | null>(null);
  const title = useQuery(findingQuery(id)).data?.title;
  useEffect(() => {
    document.title = `${title ?? words.panel.label} · ${text.shell.product}`;
  }, [title, words]);
  return (
    <Box p="md" maw={980} mx="auto">
      <AnchorLink to="/findings" size="sm">
        {words.panel.back}
      </AnchorLink>
      <Box mt="sm">
        <FindingDetail
          id={id}
          level={1}
          take={false}
          onDecide={(one) => setDeciding({ findings: [one] })}
          actions={
            <Group gap={4}>
              <CopyButton value={`${window.location.origin}/findings/${id}`} label={words.panel.copyLink} icon={IconLink} />
              <CopyButton value={id} label={words.panel.copyId} icon={IconHash} />
            </Group>
          }
        />
      </Box>
      <DecisionDialog about={deciding} onClose={() => setDeciding(null)} onDone={() => undefined} />
    </Box>
  );
}
