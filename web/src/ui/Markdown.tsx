import { Skeleton, Stack } from '@mantine/core';
import { lazy, Suspense } from 'react';

const MarkdownText = lazy(() => import('./MarkdownText').then((m) => ({ default: m.MarkdownText })));

/** Markdown from reports, drawn by code that is loaded when it is needed. */
export function Markdown({ children }: { children: string }) {
  return (
    <Suspense
      fallback={
        <Stack gap={8}>
          <Skeleton h={12} w="90%" />
          <Skeleton h={12} w="80%" />
          <Skeleton h={12} w="60%" />
        </Stack>
      }
    >
      <MarkdownText>{children}</MarkdownText>
    </Suspense>
  );
}
