// One problem that several streams tell: the page of a finding says who tells it and
// why it is one, a developer tells them apart and takes that back, a viewer only
// reads; the page of scanners compares what the tools contribute. ING4, ING9.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { call, closeBrowser, firstAdmin, newPage, password, settled, signIn, startDemo } from './harness.mjs';

let server, token, merged;
before(async () => {
  server = await startDemo();
  token = await firstAdmin(server);
  await call(server, token, 'POST', '/users', { login: 'vera', name: 'Vera', password, role: 'viewer' });
  const list = await call(server, token, 'GET', '/findings?limit=50&filter=' + encodeURIComponent('is:merged is:open'));
  assert.ok(list.items.length > 0, 'no finding of the demo is told by several streams');
  merged = list.items[0];
});
after(async () => {
  await closeBrowser();
  await server?.stop();
});

const members = async () => (await call(server, token, 'GET', `/findings/${merged.id}`)).cluster?.members.length ?? 1;

test('a finding says which streams tell it, and why they tell the same', async () => {
  const page = await newPage(server);
  await signIn(page);
  await page.goto(`/findings/${merged.id}`);
  const n = await members();
  const sources = page.getByRole('region', { name: `The same problem, as ${n} streams tell it` });
  await sources.waitFor();
  assert.equal(await sources.getByRole('list', { name: 'Findings that are this problem' }).getByRole('listitem').count(), n);
  await sources.getByText('Why they are the same').waitFor();
  const part = sources.getByRole('link').first();
  await part.click();
  await page.getByRole('link', { name: 'Open it' }).click();
  await page.waitForURL((url) => url.pathname.endsWith(merged.id));
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a developer tells them apart, sees what changes first, and takes it back', async () => {
  const page = await newPage(server);
  await signIn(page);
  await page.goto(`/findings/${merged.id}`);
  const n = await members();
  const title = (of) => `The same problem, as ${of} streams tell it`;
  await page.getByRole('region', { name: title(n) }).getByRole('button', { name: /^Not the same/ }).last().click();
  await page.getByRole('menuitem', { name: /tells another problem$/ }).click();
  const dialog = page.getByRole('dialog', { name: 'Tell them apart' });
  await dialog.getByText(/^Now:/).waitFor();
  await dialog.getByText(/^Then:/).waitFor();
  await dialog.getByLabel('Reason').fill('Another call on the same line.');
  await dialog.getByRole('button', { name: 'Tell them apart' }).click();
  await page.getByText('Recorded.').waitFor();
  await page.getByRole('region', { name: title(n) }).waitFor({ state: 'detached' });
  assert.equal(await members(), n - 1);

  await page.goto('/scanners');
  await settled(page);
  const links = page.getByRole('table', { name: 'What people said of findings being the same' });
  await links.getByText('Another call on the same line.').waitFor();
  await links.getByRole('button', { name: 'Take back' }).click();
  await page.getByText('Taken back.').waitFor();
  await page.getByText('Nobody has joined or separated findings.').waitFor();
  assert.equal(await members(), n);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('two findings of the list are joined, and parted again', async () => {
  const page = await newPage(server);
  await signIn(page);
  await page.goto('/findings?tab=all&filter=' + encodeURIComponent('tool:gosec -is:merged'));
  await settled(page);
  const before = (await call(server, token, 'GET', '/findings/counts?filter=is:merged')).total;
  await page.keyboard.press('j');
  await page.keyboard.press('x');
  await page.keyboard.press('Shift+J');
  await page.getByRole('region', { name: 'Selected findings' }).getByRole('button', { name: 'Join' }).click();
  const dialog = page.getByRole('dialog', { name: 'Join' });
  await dialog.getByText('Then: 2 findings are one problem').waitFor();
  await dialog.getByRole('button', { name: 'Join them' }).click();
  await page.getByText('Recorded.').waitFor();
  const counted = async () => (await call(server, token, 'GET', '/findings/counts?filter=is:merged')).total;
  assert.equal(await counted(), before + 1);
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByText('Taken back.').waitFor();
  assert.equal(await counted(), before);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the page of scanners compares them, and leads to what only one tells', async () => {
  const page = await newPage(server);
  await signIn(page);
  await page.goto('/scanners');
  await settled(page);
  const { items } = await call(server, token, 'GET', '/scanners');
  const table = page.getByRole('table', { name: 'Tools and what they contribute' });
  assert.equal(await table.getByRole('row').count(), items.length + 1);
  const one = items.find((s) => s.only > 0);
  await table.getByRole('link', { name: `that only ${one.tool} tells` }).click();
  await page.getByRole('status').getByText(`${one.only} finding`).waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a viewer reads, and is offered nothing else', async () => {
  const page = await newPage(server);
  await signIn(page, 'vera');
  await page.goto(`/findings/${merged.id}`);
  await page.getByRole('region', { name: /^The same problem/ }).waitFor();
  assert.equal(await page.getByRole('button', { name: /^Not the same/ }).count(), 0);
  await page.context().close();
});
