/**
 * Makes a bare checkout ready to run: dependencies installed, kernels and `dist` built, nothing done twice.
 * Called by the npm scripts before anything of `node_modules` may be used, so it stands on Node's own modules alone.
 *
 *   node scripts/ensure-ready.mjs             dependencies
 *   node scripts/ensure-ready.mjs --kernels   and the WebAssembly kernels
 *   node scripts/ensure-ready.mjs --build     and `dist`
 *
 * This first file keeps to syntax and imports that old Node versions understand: only so can it tell their users what
 * is wrong. The work is in setup/prepare.mjs.
 */
const OLDEST_NODE = 20;
const major = Number(process.versions.node.split('.')[0]);

if (major < OLDEST_NODE) {
  console.error(
    `InferNode needs Node.js ${OLDEST_NODE} or newer; this is ${process.versions.node} (${process.execPath}). ` +
      'See https://nodejs.org/en/download for a current one.',
  );
  process.exitCode = 1;
} else {
  import('./setup/prepare.mjs')
    .then(({ prepare }) =>
      prepare({ kernels: process.argv.includes('--kernels'), build: process.argv.includes('--build') }),
    )
    .catch((error) => {
      console.error(error.expected ? error.message : error);
      process.exitCode = 1;
    });
}
