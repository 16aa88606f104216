import { readFileSync } from 'node:fs'
import { dirname, relative } from 'node:path'
import type { Plugin } from 'esbuild'

const ownPlace = /\bimport\.meta\.(dirname|url)\b/g

/**
 * Modules of ours find what lies beside them (bytecode, programs of threads) by where they are: in the bundle, too,
 * that is where their source is. `directory`: of the bundle; its place to the sources stays the same, wherever both go.
 */
export const moduleIsWhereItWas = (directory: string): Plugin => ({
  name: 'module-place',
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      contents: atItsPlace(readFileSync(path, 'utf8'), path, directory),
      loader: 'ts',
    }))
  },
})

/** The source of the module at `path`, to be run from a file in `directory`. Absolute paths. */
export function atItsPlace(source: string, path: string, directory: string): string {
  const url = `new URL(${JSON.stringify(relativeUrl(directory, path))}, import.meta.url)`
  const folder = `new URL(${JSON.stringify(relativeUrl(directory, dirname(path)))}, import.meta.url)`
  return source.replace(ownPlace, (_, what) =>
    what === 'url' ? `${url}.href` : `process.getBuiltinModule('node:url').fileURLToPath(${folder})`,
  )
}

/** From a file of that directory to a path. */
function relativeUrl(directory: string, path: string): string {
  return relative(directory, path)
    .split('/')
    .map(part => (part === '..' ? part : encodeURIComponent(part)))
    .join('/')
}
