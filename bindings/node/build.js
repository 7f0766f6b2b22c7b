// Builds the addon for this machine, and puts it where the package looks for it.
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

// What cross-compiles sets the target, and the name that Node.js has for its processor.
const target = process.env.SPSC_NODE_TARGET;
const arch = process.env.SPSC_NODE_ARCH ?? process.arch;

const words = ['build', '--quiet', '--release', '--locked', '--message-format=json-render-diagnostics'];
if (target !== undefined) words.push('--target', target);
const said = execFileSync('cargo', words, { cwd: __dirname, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
const built = said
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line))
  .find((message) => message.reason === 'compiler-artifact' && message.target.name === 'spsc_shm_node');

fs.mkdirSync(path.join(__dirname, 'prebuilt'), { recursive: true });
fs.copyFileSync(built.filenames[0], path.join(__dirname, `prebuilt/linux-${arch}.node`));
for (const name of ['LICENSE-APACHE', 'LICENSE-MIT']) {
  fs.copyFileSync(path.join(__dirname, '../..', name), path.join(__dirname, name));
}
