/**
 * Puts the modules of the kpng command into a few files, cmd/kpng/bundle, which bin/kpng starts as long as no source is
 * newer: Node takes half a millisecond to find, read and link each of some 700 modules.
 *
 * Exits with 1 when a module has an error.
 */
import { resolve } from 'node:path'
import { build } from 'esbuild'
import { moduleIsWhereItWas } from './module-place.ts'
import { putBundle } from './put-bundle.ts'

const root = resolve(import.meta.dirname, '../..')
const directory = resolve(root, 'cmd/kpng/bundle')
const startedAt = new Date()

const { outputFiles } = await build({
  absWorkingDir: root,
  entryPoints: ['cmd/kpng/main.ts'],
  outdir: directory,
  write: false,
  bundle: true,
  splitting: true,
  format: 'esm',
  outExtension: { '.js': '.mjs' },
  platform: 'node',
  target: 'node24',
  // One loads a binary beside itself, the other is large and hardly ever asked for.
  external: ['koffi', '@kubernetes/client-node'],
  // What CommonJS packages use.
  banner: {
    js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
  },
  plugins: [moduleIsWhereItWas(directory)],
  logLevel: 'warning',
})
putBundle(directory, outputFiles, startedAt)
