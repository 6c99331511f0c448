// Reports go in through the page: recognised, declared, sent, told. BRD2, ING1.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { call, closeBrowser, cuts, firstAdmin, newPage, password, repository, settled, signIn, startDemo, startServer, violations } from './harness.mjs';

const reports = join(repository, 'examples/shop/reports');
const checkov1 = join(reports, 'checkov/main-1.sarif');
const checkov2 = join(reports, 'checkov/main-2.sarif');
const gitleaks = join(reports, 'gitleaks/main-1.json');

let server, token, files;
before(async () => {
  files = await mkdtemp(join(tmpdir(), 'sinew-reports-'));
  await writeFile(join(files, 'odd.json'), '{"a": 1}');
  await writeFile(join(files, 'cut.sarif'), (await readFile(checkov1, 'utf8')).slice(0, 5000));
  server = await startDemo();
  token = await firstAdmin(server);
  await call(server, token, 'POST', '/users', { login: 'vera', name: 'Vera', password, role: 'viewer' });
});
after(async () => {
  await closeBrowser();
  await server?.stop();
  await rm(files, { recursive: true, force: true });
});

const snapshots = async (target) => (await call(server, token, 'GET', '/snapshots?limit=1000&target=' + encodeURIComponent(target))).items;
const row = (page, name) => page.getByRole('list', { name: 'Reports' }).getByRole('listitem').filter({ has: page.getByText(name, { exact: true }) }).first();
const choose = (page, ...paths) => page.locator('input[type=file]:not([webkitdirectory])').setInputFiles(paths);
const declare = async (page, name, value) => page.getByRole('combobox', { name, exact: true }).fill(value);

async function importPage(options, where = server) {
  const page = await newPage(where, options);
  await signIn(page);
  await page.goto('/import');
  await settled(page);
  return page;
}

test('reports are recognised, declared once, imported, and say what they changed', async () => {
  const page = await importPage();
  const target = 'git.example.org/shop/fresh';
  await choose(page, checkov1);
  await row(page, 'main-1.sarif').getByText('SARIF 2.1.0').waitFor();
  await row(page, 'main-1.sarif').getByText('Ready').waitFor();
  await declare(page, 'Target', target);
  await declare(page, 'Ref', 'main');
  await page.getByText('Complete', { exact: true }).click();
  await page.getByText('Findings of this tool, target and ref that are missing from the report become fixed.').waitFor();
  await page.getByRole('button', { name: 'Import 1 report' }).click();
  await row(page, 'main-1.sarif').getByRole('link', { name: '66 new' }).waitFor();
  assert.deepEqual(await violations(page), []);

  // The second scan closes what it no longer sees; its link finds exactly that.
  await choose(page, checkov2);
  await row(page, 'main-2.sarif').getByText('Ready').waitFor();
  await page.getByRole('button', { name: 'Import 1 report' }).click();
  const closed = row(page, 'main-2.sarif').getByRole('link', { name: '1 closed' });
  await row(page, 'main-2.sarif').getByText('1 closed, because the sender declared that the scan was complete.').waitFor();
  const [second, first] = await snapshots(target);
  assert.deepEqual([first.result.new, second.result.fixed.declared, second.stream.ref], [66, 1, 'main']);
  await closed.click();
  await page.getByRole('status').getByText(/^1 finding/).waitFor();
  assert.match(new URL(page.url()).searchParams.get('filter'), /is:fixed/);

  // What was declared is there the next time; the reports of this session are, too.
  await page.getByRole('link', { name: 'Import', exact: true }).click();
  await row(page, 'main-2.sarif').getByText('Imported').waitFor();
  await page.reload();
  await choose(page, gitleaks);
  assert.equal(await page.getByRole('combobox', { name: 'Target', exact: true }).inputValue(), target);
  await page.getByText('Filled in as last time').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a refused file stays with the reason, the place and the next step, and can be sent again', async () => {
  const page = await importPage();
  const target = 'git.example.org/shop/refused';
  await choose(page, join(files, 'cut.sarif'), gitleaks);
  await row(page, 'main-1.json').getByText('Ready').waitFor();
  await row(page, 'cut.sarif').getByText('Ready').waitFor();
  await page.getByRole('button', { name: 'Import 2 reports' }).click();
  const cut = row(page, 'cut.sarif');
  await cut.getByText(/in the middle of a JSON value/).waitFor();
  await cut.getByText(/^cut\.sarif:\d+$/).waitFor();
  await cut.getByText(/the report is cut off/i).waitFor();
  // The other one does not say what was scanned; one says it, and tries again.
  const untold = row(page, 'main-1.json');
  await untold.getByText('The report does not say what was scanned').waitFor();
  assert.deepEqual(await violations(page), []);
  assert.deepEqual(await snapshots(target), []);
  await declare(page, 'Target', target);
  await untold.getByRole('button', { name: 'Try again' }).click();
  await untold.getByRole('link', { name: '6 new' }).waitFor();
  assert.equal((await snapshots(target)).length, 1);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('what nobody recognises is not sent until somebody says what it is', async () => {
  const page = await importPage({ width: 390, height: 844 });
  await choose(page, join(files, 'odd.json'));
  const odd = row(page, 'odd.json');
  await odd.getByText(/it is JSON with the keys a/).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Import', exact: true }).isDisabled(), true);
  assert.deepEqual([await violations(page), await cuts(page)], [[], []]);
  await odd.getByRole('combobox', { name: 'Format of odd.json' }).click();
  await page.getByRole('option', { name: 'Gitleaks' }).click();
  await page.getByRole('button', { name: 'Import 1 report' }).click();
  await odd.getByText('Refused').waitFor();
  await page.context().close();
});

test('two are sent at a time; what waits can be stopped; leaving the page stops nothing', async () => {
  const page = await importPage();
  const target = 'git.example.org/shop/queue';
  const names = ['one', 'two', 'three', 'four'].map((n) => `${n}.json`);
  for (const name of names) await writeFile(join(files, name), await readFile(gitleaks));
  const held = [];
  let hold = true;
  await page.route('**/api/v1/imports?**', (route) => (hold ? held.push(route) : route.continue()));
  await choose(page, ...names.map((n) => join(files, n)));
  for (const name of names) await row(page, name).getByText('Ready').waitFor();
  await declare(page, 'Target', target);
  await page.getByRole('button', { name: 'Import 4 reports' }).click();
  await row(page, 'four.json').getByText('Waits for its turn').waitFor();
  assert.equal(held.length, 2);
  await page.getByRole('button', { name: 'Stop four.json' }).click();
  await row(page, 'four.json').getByText('Nothing of it was kept.').waitFor();

  await page.getByRole('link', { name: 'Assets' }).click();
  await page.getByRole('heading', { level: 1, name: 'Assets' }).waitFor();
  hold = false;
  for (const route of held) await route.continue();
  await page.getByRole('link', { name: 'Import', exact: true }).click();
  for (const name of names.slice(0, 3)) await row(page, name).getByText('Imported').waitFor();
  assert.equal((await snapshots(target)).length, 3);
  await page.getByRole('button', { name: 'Remove what is finished' }).click();
  await page.getByRole('list', { name: 'Reports' }).waitFor({ state: 'detached' });
  await page.context().close();
});

test('a connection that breaks after the report was safe loses nothing', async () => {
  const page = await importPage();
  await page.route('**/api/v1/imports?**', async (route) => {
    // What the server was sent and says, but for all that it says after “accepted”.
    const response = await fetch(route.request().url(), {
      method: 'POST', headers: { Authorization: `Bearer ${token}`, Accept: 'text/event-stream', 'Content-Type': 'application/octet-stream' }, body: await readFile(gitleaks),
    });
    const [accepted] = (await response.text()).match(/event: accepted\n.*\n\n/);
    await route.fulfill({ status: 200, contentType: 'text/event-stream', body: accepted });
  });
  await choose(page, gitleaks);
  await row(page, 'main-1.json').getByText('Ready').waitFor();
  await declare(page, 'Target', 'git.example.org/shop/broken');
  await page.getByRole('button', { name: 'Import 1 report' }).click();
  await row(page, 'main-1.json').getByRole('link', { name: '6 new' }).waitFor();
  await page.context().close();
});

test('a folder and dropped files are taken whole', async () => {
  const page = await importPage();
  await page.locator('input[webkitdirectory]').setInputFiles(join(reports, 'gitleaks'));
  await row(page, 'gitleaks/main-1.json').getByText('Ready').waitFor();
  await row(page, 'gitleaks/history-2.json').getByText('Ready').waitFor();
  const transfer = await page.evaluateHandle((text) => {
    const t = new DataTransfer();
    t.items.add(new File([text], 'dropped.json'));
    return t;
  }, await readFile(gitleaks, 'utf8'));
  const zone = page.getByRole('region', { name: 'Reports to import' });
  await zone.dispatchEvent('dragenter', { dataTransfer: transfer });
  await zone.getByText('Let go to add them').waitFor();
  await zone.dispatchEvent('drop', { dataTransfer: transfer });
  await row(page, 'dropped.json').getByText('Ready').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('an import has its page: what it covered, what it changed, and the redacted report', async () => {
  const page = await importPage();
  const { items } = await call(server, token, 'GET', '/snapshots?limit=1000');
  const secrets = items.find((s) => s.report === 'history-2.json');
  await page.goto(`/import/${secrets.id}`);
  await page.getByRole('heading', { level: 1, name: 'Import of history-2.json' }).waitFor();
  await page.getByText('Complete, declared by the sender').waitFor();
  await page.getByRole('link', { name: '7 new' }).waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download the redacted report' }).click()]);
  const sent = JSON.parse(await readFile(join(reports, 'gitleaks/history-2.json'), 'utf8'));
  const kept = await readFile(await download.path(), 'utf8');
  assert.match(kept, /RuleID/);
  for (const { Secret } of sent) assert.ok(!kept.includes(Secret), 'a secret value is in the report that is kept');
  await page.goto('/import/sunknown');
  await page.getByRole('alert').getByText('There is nothing here').waitFor();
  await page.context().close();
});

test('who may only look is told so', async () => {
  const page = await newPage(server);
  await signIn(page, 'vera');
  assert.equal(await page.getByRole('link', { name: 'Import', exact: true }).count(), 0);
  await page.goto('/import');
  await page.getByRole('heading', { name: 'You may not see this' }).waitFor();
  await page.context().close();
});

test('in a new workspace the first steps tick themselves, and stay hidden once hidden', async () => {
  const fresh = await startServer();
  try {
    await firstAdmin(fresh);
    const page = await importPage({}, fresh);
    const steps = page.getByRole('region', { name: 'First steps' });
    await steps.getByRole('link', { name: 'Import a first report' }).waitFor();
    await page.getByRole('heading', { name: 'No report was imported yet' }).waitFor();
    await choose(page, gitleaks);
    await declare(page, 'Target', 'git.example.org/first');
    await row(page, 'main-1.json').getByText('Ready').waitFor();
    await page.getByRole('button', { name: 'Import 1 report' }).click();
    await row(page, 'main-1.json').getByText('Imported').waitFor();
    await steps.getByText('Import a first report (done)').waitFor();
    await steps.getByText('1 of 6 done').waitFor();
    await steps.getByRole('button', { name: 'Hide the first steps' }).click();
    await page.reload();
    await page.getByRole('link', { name: 'main-1.json' }).waitFor();
    assert.equal(await steps.count(), 0);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  } finally {
    await fresh.stop();
  }
});
