import { Center, Loader } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Outlet, useLocation } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { sessionQuery } from '../api/session';
import { text } from '../text';
import { Fault } from '../ui/Fault';

const Shell = lazy(() => import('./Shell').then((m) => ({ default: m.Shell })));
const SignInPage = lazy(() => import('../pages/signin/SignInPage').then((m) => ({ default: m.SignInPage })));

/** Decides what anybody sees: the sign-in page for nobody, the shell with the page for somebody. */
export function Root() {
  const session = useQuery(sessionQuery);
  const here = useLocation({ select: (l) => l.pathname });
  const waiting = (
    <Center h="100dvh">
      <Loader aria-label={text.shell.state.loading} />
    </Center>
  );
  if (session.isPending) return waiting;
  if (session.isError) {
    return (
      <Center h="100dvh" p="md">
        <Fault error={session.error} retry={() => void session.refetch()} />
      </Center>
    );
  }
  return (
    <Suspense fallback={waiting}>
      {session.data === null ? (
        <SignInPage />
      ) : here === '/signin' ? (
        <SignInPage />
      ) : (
        <Shell session={session.data}>
          <Outlet />
        </Shell>
      )}
    </Suspense>
  );
}
