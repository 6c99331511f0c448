import { Paper, Stack, Title } from '@mantine/core';
import type { ReactNode } from 'react';

/** A framed part of a page under a heading of its own. */
export function Card({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Paper withBorder p="md" radius="md" component="section">
      <Stack gap="sm">
        <Title order={2} size="h5">
          {title}
        </Title>
        {children}
      </Stack>
    </Paper>
  );
}
