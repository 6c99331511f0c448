// What every browser test needs: a real server of ours with the demo's reports,
// a real chromium, somebody who is signed in, and the checks that every page
// must pass. Only loopback is used, and only processes started here are ended.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdtemp, rm, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const here = fileURLToPath(new URL('.', import.meta.url));
export const binary = process.env.SINEW_BIN ?? join(here, '../../bin/sinew');
export const repository = join(here, '../..');

/** Starts `sinew COMMAND...` in an empty directory and waits until it says where it is. */
async function start(args, env = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'sinew-browser-'));
  const child = spawn(binary, args, { cwd: dir, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${args[0]} did not start within 2 minutes:\n${said}`)), 120_000);
    const read = (chunk) => {
      said += chunk;
      if (/Ctrl-C|--login NAME/.test(said)) {
        clearTimeout(timer);
        resolve();
      }
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`${args[0]} ended with ${code}:\n${said}`));
    });
  });
  const url = said.match(/https?:\/\/127\.0\.0\.1:\d+/)?.[0];
  const invite = said.match(/\/join\/(sinew_invite_\w+)/)?.[1];
  return {
    url,
    invite,
    dir,
    said: () => said,
    token: said.match(/SINEW_TOKEN=(\w+)/)?.[1],
    async stop() {
      child.kill('SIGINT');
      await ended;
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** The demo: 22 real reports of 14 scanners. */
export const startDemo = () => start(['demo', '--listen', '127.0.0.1:0']);

/** A server on an empty database. */
export const startServer = (...flags) => start(['serve', '--database', 'sinew.db', '--listen', '127.0.0.1:0', ...flags]);

export const password = 'correct horse battery staple';

/** A request to the API with a token, as programs make it. */
export async function call(server, token, method, path, body) {
  const response = await fetch(server.url + '/api/v1' + path, {
    method,
    headers: { ...(token && { Authorization: `Bearer ${token}` }), ...(body && { 'Content-Type': 'application/json' }) },
    body: body && JSON.stringify(body),
  });
  const answer = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

/** Makes the first administrator with the one-time link, and a token for him. */
export async function firstAdmin(server, login = 'ada') {
  await call(server, '', 'POST', '/invites/redeem', { secret: server.invite, login, name: 'Ada Lovelace', password });
  const { token } = await call(server, '', 'POST', '/signin', { login, password });
  return token;
}

let shared;

/** One chromium for the whole file; Debian's, and never a downloaded one. */
export async function browser() {
  shared ??= chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [...(process.getuid() === 0 ? ['--no-sandbox'] : []), '--disable-dev-shm-usage', '--force-color-profile=srgb'],
  });
  return shared;
}

export async function closeBrowser() {
  if (shared) await (await shared).close();
  shared = undefined;
}

/** A page in a profile of its own. Errors of scripts and of the content security policy are gathered in page.faults. */
export async function newPage(server, { scheme = 'light', width = 1440, height = 900, motion = 'reduce', ...more } = {}) {
  const context = await (await browser()).newContext({
    baseURL: server.url, colorScheme: scheme, viewport: { width, height }, reducedMotion: motion, locale: 'en-GB', timezoneId: 'UTC', ...more,
  });
  const page = await context.newPage();
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(String(error)));
  page.on('console', (message) => {
    // The browser itself writes a line for every answer of 400 and more; those are asserted where they matter.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) page.faults.push(message.text());
  });
  return page;
}

export async function signIn(page, login = 'ada', secret = password) {
  await page.goto('/findings');
  await page.getByLabel('Login').fill(login);
  await page.getByRole('textbox', { name: 'Password' }).fill(secret);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'Findings' }).waitFor();
}

/** Waits until nothing loads any more: no request under way, no skeleton left. */
export async function settled(page) {
  await page.waitForLoadState('networkidle');
  await page.waitForFunction(() => !document.querySelector('.mantine-Skeleton-root, .mantine-Loader-root'));
}

const axeSource = readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Violations of WCAG A and AA that axe calls serious or critical, one line each. */
export async function violations(page) {
  await page.evaluate(await axeSource); // evaluated by the debugger, which the content security policy does not bind
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] } }));
  return violations
    .filter((v) => v.impact === 'serious' || v.impact === 'critical')
    .flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(' ')}: ${n.failureSummary?.split('\n')[1]?.trim() ?? v.help}`));
}

/** Texts that are cut off, and what sticks out of the window: one line each. An ellipsis with the whole text in reach is no cut. */
export function cuts(page) {
  return page.evaluate(() => {
    const out = [];
    const root = document.documentElement;
    if (root.scrollWidth > window.innerWidth + 1) out.push(`the page is ${root.scrollWidth} wide in a window of ${window.innerWidth}`);
    const name = (e) => `${e.tagName.toLowerCase()}.${[...e.classList].slice(0, 2).join('.')} “${e.textContent.trim().slice(0, 40)}”`;
    const scrolls = (e) => {
      for (let p = e; p; p = p.parentElement) {
        const x = getComputedStyle(p).overflowX;
        if ((x === 'auto' || x === 'scroll') && p.scrollWidth > p.clientWidth) return true;
      }
      return false;
    };
    const hidden = (e) => e.closest('[aria-hidden="true"], [hidden]') || !e.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    for (const e of document.body.querySelectorAll('*')) {
      const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim() !== '');
      if (!own || hidden(e)) continue;
      const style = getComputedStyle(e);
      const box = e.getBoundingClientRect();
      if (box.width <= 1 || box.height <= 1) continue; // for screen readers
      if (box.right > window.innerWidth + 1 && box.left < window.innerWidth && !scrolls(e)) out.push(`sticks out: ${name(e)}`);
      const clips = style.overflowX === 'hidden' || style.overflowX === 'clip';
      if (clips && e.scrollWidth > e.clientWidth + 1) {
        const reach = style.textOverflow === 'ellipsis' && (e.title || e.getAttribute('aria-label') || e.closest('a, button, [title], [tabindex], tr'));
        if (!reach) out.push(`cut: ${name(e)}`);
      }
      if ((style.overflowY === 'hidden' || style.overflowY === 'clip') && style.webkitLineClamp === 'none' && e.scrollHeight > e.clientHeight + 3) out.push(`cut below: ${name(e)}`);
    }
    return out;
  });
}
