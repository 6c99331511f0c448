import minimist from 'minimist';

const args = minimist(process.argv.slice(2));

export const config = {
  port: Number(args.port || process.env.PORT || 8080),
  catalogUrl: process.env.CATALOG_URL || 'http://catalog:8081',
  paymentsUrl: process.env.PAYMENTS_URL || 'http://payments:8082',
  sessionSecret: process.env.SESSION_SECRET || 'k3Jx9Wm2Tq7Zr5Lv8Nc4Ys6Hd1Pf0Gb',
  helpDir: process.env.HELP_DIR || 'views/help',
};
