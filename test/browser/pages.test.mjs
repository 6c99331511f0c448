// Applications and their rules, assets, coverage: what the pages say is what the
// API says, and each question has its next step. BRD2, GRA13, ING9.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { call, closeBrowser, firstAdmin, newPage, password, settled, signIn, startDemo, violations } from './harness.mjs';

let server, token;
before(async () => {
  server = await startDemo();
  token = await firstAdmin(server);
  const { id } = await call(server, token, 'POST', '/users', { login: 'dev', name: 'Dev', password });
  await call(server, token, 'PUT', `/users/${id}/role`, { role: 'developer', application: 'shop' });
});
after(async () => {
  await closeBrowser();
  await server?.stop();
});

const get = (path) => call(server, token, 'GET', path);
const counts = (filter) => get('/findings/counts?filter=' + encodeURIComponent(filter));

async function open(path, login = 'ada', options) {
  const page = await newPage(server, options);
  await signIn(page, login);
  await page.goto(path);
  await settled(page);
  return page;
}

/** Imports a report of one finding by hand. */
async function importFinding(target) {
  const report = JSON.stringify({ findings: [{ rule: 'r1', title: 'Found by hand', severity: 'high', file: 'a.go', line: 1 }] });
  const response = await fetch(`${server.url}/api/v1/imports?wait=true&name=by-hand.json&target=${encodeURIComponent(target)}`, {
    method: 'POST', headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/octet-stream' }, body: report,
  });
  assert.equal(response.status, 200, await response.clone().text());
}

test('the tree has the numbers of each level, opens to services, and leads to their findings', async () => {
  const page = await open('/applications');
  const table = page.getByRole('table', { name: 'Applications' });
  const total = (await counts('app:shop is:open')).total;
  for (const name of ['Harbour', 'Retail', 'shop']) await table.getByRole('link', { name: `${total} open in ${name}` }).waitFor();
  await table.getByRole('button', { name: 'Open shop' }).click();
  const payments = (await counts('app:shop service:payments is:open')).total;
  await table.getByRole('link', { name: `${payments} open in payments` }).click();
  await page.getByRole('status').getByText(`${payments} findings`).waitFor();
  await page.goBack();
  await page.getByRole('textbox', { name: 'Search applications and services' }).fill('cata');
  await table.getByRole('rowheader', { name: 'catalog' }).waitFor();
  assert.equal(await table.getByRole('rowheader', { name: 'payments' }).count(), 0);
  assert.equal(new URL(page.url()).searchParams.get('q'), 'cata');
  await page.getByRole('textbox', { name: 'Search applications and services' }).fill('nowhere');
  await page.getByRole('heading', { name: 'No application or service fits' }).waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('rules: a mistake is shown at its line, a change is previewed before it is saved, nobody overwrites another unseen', async () => {
  await importFinding('git.example.org/other/tool');
  const page = await open('/applications');
  await page.getByText('1 open finding belongs to no application.').waitFor();
  await page.getByRole('link', { name: 'Claim them with a rule' }).click();
  const editor = page.getByRole('textbox', { name: 'Rules document' });
  const before = await editor.inputValue();
  const save = page.getByRole('button', { name: 'Save', exact: true });

  await editor.fill(before.replace('name: payments', 'nam: payments'));
  await page.getByRole('button', { name: 'Preview', exact: true }).click();
  await page.getByRole('alert').getByText('field nam is not known here').waitFor();
  assert.equal((await page.evaluate(() => getSelection().toString())).trim(), '- nam: payments');
  assert.equal(await save.isDisabled(), true);
  assert.deepEqual(await violations(page), []);

  const after = before + 'applications:\n  - name: tool\n    match: [{target: git.example.org/other/**}]\n';
  await editor.fill(after);
  await page.getByRole('button', { name: 'Preview', exact: true }).click();
  const preview = page.getByRole('region', { name: 'Preview' });
  await preview.getByText('1 finding would change its application').waitFor();
  await preview.getByRole('link', { name: 'Found by hand' }).waitFor();
  assert.deepEqual(await preview.getByRole('table', { name: 'Findings by application' }).getByRole('row').filter({ hasText: 'tool' }).getByRole('cell').allTextContents(), ['0', '1', '+1']);
  assert.equal((await get('/rules')).document, before, 'a preview saves nothing');

  // Meanwhile somebody else sets other rules: they are told, not overwritten.
  await call(server, token, 'PUT', '/rules', { document: before + '# theirs\n' });
  await save.click();
  await page.getByText('Somebody else has set other rules in the meantime.').waitFor();
  assert.equal(await save.isDisabled(), true);
  assert.equal((await get('/rules')).document, before + '# theirs\n');
  await page.getByRole('button', { name: 'Load them and drop my changes' }).click();
  assert.equal(await editor.inputValue(), before + '# theirs\n');

  // On top of theirs the change is saved, and the finding moves.
  await editor.fill(after + '# theirs\n');
  await page.getByRole('button', { name: 'Preview', exact: true }).click();
  await preview.getByText('1 finding would change its application').waitFor();
  await save.click();
  await page.getByText('Saved. 1 finding changed its application.').waitFor();
  assert.equal((await counts('app:tool is:open')).total, 1);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the editor keeps the depth of a line, and gives back what is in force', async () => {
  const page = await open('/applications?tab=rules');
  const editor = page.getByRole('textbox', { name: 'Rules document' });
  const inForce = await editor.inputValue();
  assert.equal(inForce, (await get('/rules')).document);
  await editor.press('Control+End');
  await editor.pressSequentially('environments:\n- name: lab\nmatch: [{host: "lab-*"}]\n');
  assert.match(await editor.inputValue(), /environments:\n {2}- name: lab\n {2}match/, 'a new line keeps the depth');
  await page.getByRole('button', { name: 'Undo my changes' }).click();
  assert.equal(await editor.inputValue(), inForce);
  await page.context().close();
});

test('who is no administrator sees his applications and no rules', async () => {
  const page = await open('/applications?tab=rules', 'dev');
  await page.getByRole('table', { name: 'Applications' }).getByRole('rowheader', { name: 'shop' }).waitFor();
  assert.equal(await page.getByRole('tab').count(), 0);
  assert.equal(await page.getByText('Unassigned').count(), 0);
  await page.context().close();
});

test('assets are narrowed by kind, application and key, and lead to each other and to their findings', async () => {
  const page = await open('/assets');
  const list = page.getByRole('table', { name: 'Assets' });
  assert.equal(await list.getByRole('row').count(), 51);
  await page.getByRole('button', { name: 'Show more assets' }).click();
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length > 50);
  await page.getByRole('combobox', { name: 'Kind' }).click();
  await page.getByRole('option', { name: 'Package', exact: true }).click();
  await page.getByRole('textbox', { name: 'Search assets by key' }).fill('express-serve');
  await list.getByRole('row').nth(2).waitFor({ state: 'detached' });
  assert.deepEqual(Object.fromEntries(new URL(page.url()).searchParams), { kind: 'package', text: 'express-serve' });
  await list.getByRole('link', { name: /express-serve-static-core/ }).click();
  await page.getByRole('heading', { level: 1, name: /express-serve-static-core/ }).waitFor();
  await page.getByRole('heading', { level: 3, name: /^Depends on/ }).waitFor();
  await page.getByRole('link', { name: /types\/node@/ }).click();
  await page.getByRole('heading', { level: 1, name: /types\/node@/ }).waitFor();
  await page.getByRole('heading', { level: 3, name: /^Needed by/ }).waitFor();

  await page.goto('/assets?kind=package&app=none');
  await page.getByRole('heading', { name: 'No asset fits' }).waitFor();
  const { items } = await get('/assets?filter=repo&application=shop');
  await page.goto(`/assets/${items[0].id}`);
  const { total } = await counts(`target:==${items[0].key} is:open`);
  await page.getByRole('link', { name: `All ${total} open findings` }).click();
  await page.getByRole('status').getByText(`${total} findings`).waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('coverage tells each application and test, explains a gap and its end, by keyboard', async () => {
  const page = await open('/coverage');
  const { items } = await get('/coverage?limit=1000');
  const shop = items.filter((c) => c.application === 'shop');
  const matrix = page.getByRole('table', { name: 'Coverage of each application by test' });
  const words = { none: 'Covered', never: 'Never done', overdue: 'Overdue', failed: 'Failed', not_required: 'Not required' };
  const names = { code: 'Code', dependency: 'Dependencies', secret: 'Secrets' };
  for (const [test, name] of Object.entries(names)) {
    const { gap } = shop.find((c) => c.test === test);
    await matrix.getByRole('button', { name: new RegExp(`^shop, ${name}: ${words[gap]}`) }).waitFor();
  }

  // A test that nobody does becomes a gap once the rules ask for it.
  const { document } = await get('/rules');
  await call(server, token, 'PUT', '/rules', { document: document + 'coverage:\n  - {application: shop, test: web, every: 7d}\n' });
  await page.reload();
  const web = matrix.getByRole('button', { name: /^shop, Web: Never done/ });
  await web.focus();
  await page.keyboard.press('Enter');
  const why = page.getByRole('dialog');
  await why.getByText('no report of it was ever received').waitFor();
  await why.getByText('every 7 days').waitFor();
  await why.getByRole('link', { name: 'Import a report' }).waitFor();
  assert.deepEqual(await violations(page), []);
  await page.keyboard.press('Escape');
  await why.waitFor({ state: 'detached' });
  assert.equal(await web.evaluate((e) => e === document.activeElement), true, 'the focus returns to the cell');
  await page.getByText(/^Never done \d/).click();
  assert.equal(new URL(page.url()).searchParams.get('gap'), 'never');
  await page.getByText(/^Overdue 0/).click();
  await page.getByRole('heading', { name: 'No application has this gap' }).waitFor();
  await call(server, token, 'PUT', '/rules', { document });
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('streams: where each stands, found by words, with the way to its findings and newest import', async () => {
  const page = await open('/coverage?tab=streams');
  const list = page.getByRole('table', { name: 'Streams' });
  const { items } = await get('/streams?limit=1000');
  assert.equal(await list.getByRole('row').count(), items.length + 1);
  const failed = items.filter((s) => s.coverage === 'failed');
  assert.equal(await list.getByRole('row').filter({ hasText: 'Failed' }).count(), failed.length);
  await page.getByRole('textbox', { name: 'Search tool, target, ref' }).fill('trivy config');
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1);
  const [config] = items.filter((s) => s.tool === 'trivy' && s.label === 'config');
  assert.equal(await list.getByRole('row').last().getByRole('link').last().getAttribute('href'), `/import/${config.snapshot}`);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
