// Used by run-scanners.sh: only the security plugin, on the storefront's code.
const security = require('eslint-plugin-security');
const ts = require('typescript-eslint');

module.exports = [
  security.configs.recommended,
  { files: ['**/*.ts'], languageOptions: { parser: ts.parser } },
];
