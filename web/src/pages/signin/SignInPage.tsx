import { Alert, Button, Center, Divider, Group, Paper, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useLocation, useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useState, type FormEvent } from 'react';
import { providersQuery, useSession, useSignIn } from '../../api/session';
import { text } from '../../text';
import { Fault } from '../../ui/Fault';
import { Logo } from '../../ui/Logo';

/** Sign-in by password or provider; afterwards one is where one wanted to go. */
export function SignInPage() {
  const words = text.shell.signIn;
  const search: { error?: string; request?: string; return?: string } = useSearch({ strict: false });
  const here = useLocation({ select: (l) => l.href });
  const navigate = useNavigate();
  const session = useSession();
  const providers = useQuery(providersQuery);
  const signIn = useSignIn();
  const [login, setLogin] = useState('');
  const [password, setPassword] = useState('');
  const wanted = local(here.startsWith('/signin') ? search.return : here);

  useEffect(() => {
    document.title = `${words.title} · ${text.shell.product}`;
  }, [words.title]);
  useEffect(() => {
    if (session && here.startsWith('/signin')) void navigate({ href: wanted, replace: true });
  }, [session, here, wanted, navigate]);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate({ login, password });
  };
  return (
    <Center component="main" mih="100dvh" p="md">
      <Paper withBorder p="xl" w="100%" maw={400} radius="md">
        <Stack gap="md">
          <Group gap="sm">
            <Logo size={32} />
            <Title order={1} size="h3">
              {words.title}
            </Title>
          </Group>
          {search.error && (
            <Alert color="red" role="alert">
              {words.failed(search.error)} {search.request && <>{text.shell.error.request} {search.request}</>}
            </Alert>
          )}
          {signIn.isError && <Fault error={signIn.error} />}
          <form onSubmit={submit}>
            <Stack gap="sm">
              <TextInput label={words.login} name="login" autoComplete="username" autoCapitalize="none" spellCheck={false} required data-autofocus autoFocus value={login} onChange={(e) => setLogin(e.currentTarget.value)} />
              <PasswordInput label={words.password} name="password" autoComplete="current-password" required value={password} onChange={(e) => setPassword(e.currentTarget.value)} />
              <Button type="submit" loading={signIn.isPending}>
                {words.submit}
              </Button>
            </Stack>
          </form>
          {providers.data && providers.data.items.length > 0 && (
            <>
              <Divider label={words.or} />
              {providers.data.items.map((p) => (
                <Button key={p.id} variant="default" component="a" href={`/auth/${encodeURIComponent(p.id)}/start?return=${encodeURIComponent(wanted)}`}>
                  {words.with(p.name)}
                </Button>
              ))}
            </>
          )}
          <Text size="xs" c="dimmed">
            {words.help}
          </Text>
        </Stack>
      </Paper>
    </Center>
  );
}

/** The address to go to: one of ours, or the findings. */
function local(path: string | undefined): string {
  return path && /^\/(?![/\\])/.test(path) && !path.startsWith('/signin') ? path : '/findings';
}
