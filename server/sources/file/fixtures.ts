/** Files to test with: a directory of its own that goes with the test. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export class TemporaryDirectory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'kpng-server-'))

  join(...names: string[]): string {
    return join(this.path, ...names)
  }

  /** Gives the path. */
  write(name: string, text: string): string {
    const path = this.join(name)
    writeFileSync(path, text)
    return path
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** Manifests of Services shop/NAME. */
export const manifest = (...names: string[]): string => names.map(document).join('---\n')

/** The same as a List, as kubectl prints it. */
export const manifestList = (names: readonly string[]): string => {
  const items = names.map(name => `- ${document(name).trimEnd().replaceAll('\n', '\n  ')}\n`)
  return `apiVersion: v1\nitems:\n${items.join('')}kind: List\n`
}

const document = (name: string): string => `apiVersion: v1
kind: Service
metadata:
  name: ${name}
  namespace: shop
spec:
  clusterIP: 10.96.0.1
  ports:
  - port: 80
`
