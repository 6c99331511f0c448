// Sign-in, sessions and roles as people meet them. TRU1.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { call, closeBrowser, firstAdmin, newPage, password, settled, signIn, startDemo } from './harness.mjs';

let server, token;
before(async () => {
  server = await startDemo();
  token = await firstAdmin(server);
});
after(async () => {
  await closeBrowser();
  await server?.stop();
});

test('a wrong password is told, the right one leads to where one wanted to go', async () => {
  const page = await newPage(server);
  await page.goto('/coverage?tab=streams');
  await page.getByLabel('Login').fill('ada');
  await page.getByRole('textbox', { name: 'Password' }).fill('wrong wrong wrong');
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('alert').getByText('login or password is wrong').waitFor();
  await page.getByRole('textbox', { name: 'Password' }).fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'Coverage' }).waitFor();
  assert.equal(new URL(page.url()).search, '?tab=streams');
  const [cookie] = await page.context().cookies();
  assert.equal(cookie.httpOnly, true);
  assert.equal(cookie.sameSite, 'Lax');
  assert.equal(await page.evaluate(() => document.cookie), '', 'scripts see no cookie');
  await page.context().close();
});

test('signing out ends the session on the server', async () => {
  const page = await newPage(server);
  await signIn(page);
  const [cookie] = await page.context().cookies();
  await page.getByRole('button', { name: 'Your account' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  const again = await fetch(server.url + '/api/v1/session', { headers: { Cookie: `${cookie.name}=${cookie.value}` } });
  assert.equal(again.status, 401);
  await page.context().close();
});

test('a session that is ended elsewhere shows the sign-in page, and goes on where one was', async () => {
  const page = await newPage(server);
  await signIn(page);
  await page.goto('/applications');
  await page.getByRole('heading', { level: 1, name: 'Applications' }).waitFor();
  await page.context().clearCookies();
  await page.getByRole('link', { name: 'Assets' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await page.getByLabel('Login').fill('ada');
  await page.getByRole('textbox', { name: 'Password' }).fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'Assets' }).waitFor();
  await page.context().close();
});

test('a viewer sees neither import nor log nor users, and is refused by address as well', async () => {
  const user = await call(server, token, 'POST', '/users', { login: 'vera', name: 'Vera', password, role: 'viewer' });
  assert.ok(user.id);
  const page = await newPage(server);
  await signIn(page, 'vera');
  const nav = page.getByRole('navigation', { name: 'Main' });
  await nav.getByRole('link', { name: 'Findings' }).waitFor();
  for (const name of ['Import', 'Log']) assert.equal(await nav.getByRole('link', { name, exact: true }).count(), 0, name);
  await page.goto('/log');
  await page.getByText('You may not see this').first().waitFor();
  await page.goto('/settings?tab=users');
  await settled(page);
  assert.equal(await page.getByRole('tab', { name: 'Users' }).count(), 0);
  await page.context().close();
});

test('somebody without any role is told so, and whom to ask', async () => {
  await call(server, token, 'POST', '/users', { login: 'nora', name: 'Nora', password, role: '' });
  const page = await newPage(server);
  await signIn(page, 'nora');
  await page.getByText('administrator').first().waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('an administrator gives and takes roles, makes a link, and a token that works', async () => {
  const page = await newPage(server);
  await signIn(page);
  await page.goto('/settings?tab=users');
  await page.getByRole('button', { name: 'One-time link' }).click();
  await page.getByRole('button', { name: 'Make link' }).click();
  await page.getByText('/join/sinew_invite_').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click();
  await page.goto('/settings?tab=tokens');
  await page.getByRole('button', { name: 'New token' }).click();
  await page.getByLabel('What it is for').fill('browser test');
  await page.getByRole('button', { name: 'Make token' }).click();
  const secret = (await page.getByText(/^sinew_\w+$/).first().textContent()).trim();
  const me = await call(server, secret, 'GET', '/me');
  assert.equal(me.login, 'ada');
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click();
  await page.getByRole('button', { name: 'Revoke browser test' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke', exact: true }).click();
  await page.getByText('revoked').waitFor();
  await assert.rejects(call(server, secret, 'GET', '/me'), /401/);
  await page.context().close();
});
