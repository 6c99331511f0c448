// A real OpenID provider on loopback, for the tests of sign-in: panva's
// oidc-provider, with people whom the test names. It prints one line of JSON,
// {issuer, client_id, client_secret}, and ends when its standard input does.
//
//   node provider.mjs --redirect URL [--after-logout URL] [--id-token-seconds N]
//
// POST /people takes {SUBJECT: {claims}}; whoever signs in types a subject as
// login, and any password.
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

export const clientID = 'sinew';
export const clientSecret = 'a secret of the tests that guards nothing';

/** Starts the provider; the answer has its issuer, set(people) and stop(). */
export async function startProvider({ redirect, afterLogout, idTokenSeconds = 120 }) {
  // The library greets on the console; what it says to developers helps nobody here.
  const { default: Provider } = await import('oidc-provider');
  let people = {};
  let answer = (_, res) => res.writeHead(503).end();
  const server = createServer((req, res) => answer(req, res));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: clientID,
        client_secret: clientSecret,
        redirect_uris: [redirect],
        post_logout_redirect_uris: afterLogout ? [afterLogout] : [],
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    cookies: { keys: ['keys of the tests'] },
    scopes: ['openid', 'profile', 'email', 'groups'],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email'], groups: ['groups'] },
    conformIdTokenClaims: false, // the ID token has the claims, as most providers' has
    features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
    pkce: { required: () => true },
    ttl: { IdToken: idTokenSeconds, AccessToken: 300, AuthorizationCode: 60, Interaction: 600, Session: 3600, Grant: 3600 },
    findAccount: (_, sub) => (people[sub] ? { accountId: sub, claims: () => ({ sub, ...people[sub] }) } : undefined),
    // Nobody is asked whether sinew may know who he is.
    async loadExistingGrant(ctx) {
      if (!ctx.oidc.session?.accountId) return undefined;
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope('openid profile email groups');
      await grant.save();
      return grant;
    },
  });
  const known = provider.callback();
  answer = (req, res) => {
    if (req.method !== 'POST' || req.url !== '/people') return known(req, res);
    let text = '';
    req.on('data', (chunk) => (text += chunk));
    req.on('end', () => {
      people = JSON.parse(text);
      res.writeHead(204).end();
    });
  };
  return {
    issuer,
    set: (someone) => (people = someone),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: { redirect: { type: 'string' }, 'after-logout': { type: 'string' }, 'id-token-seconds': { type: 'string', default: '120' } },
  });
  console.warn = console.info = console.error = () => {};
  const { issuer, stop } = await startProvider({
    redirect: values.redirect,
    afterLogout: values['after-logout'],
    idTokenSeconds: Number(values['id-token-seconds']),
  });
  console.log(JSON.stringify({ issuer, client_id: clientID, client_secret: clientSecret }));
  process.stdin.resume();
  process.stdin.on('end', () => stop().then(() => process.exit(0)));
}
