// Builds the addon for this machine, and puts it where the package looks for it.
'use strict';

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

// What cross-compiles sets the target, and the name that Node.js has for its processor.
const target = process.env.SPSC_NODE_TARGET;
const arch = process.env.SPSC_NODE_ARCH ?? process.arch;

const words = ['build', '--quiet', '--release', '--locked'];
if (target !== undefined) words.push('--target', target);
const { status } = spawnSync('cargo', words, { cwd: __dirname, stdio: 'inherit' });
if (status !== 0) process.exit(1);
const directory = path.resolve(__dirname, process.env.CARGO_TARGET_DIR ?? 'target', target ?? '', 'release');

fs.mkdirSync(path.join(__dirname, 'prebuilt'), { recursive: true });
fs.copyFileSync(path.join(directory, 'libspsc_shm_node.so'), path.join(__dirname, `prebuilt/linux-${arch}.node`));
for (const name of ['LICENSE-APACHE', 'LICENSE-MIT']) {
  fs.copyFileSync(path.join(__dirname, '../..', name), path.join(__dirname, name));
}
