import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempDisposableSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'

const launcher = resolve(import.meta.dirname, '../../bin/kpng')
const bundle = 'cmd/kpng/bundle/main.mjs'
const source = 'cmd/kpng/main.ts'

/** A checkout whose node tells what it is asked to run. */
class Checkout implements Disposable {
  readonly path: string
  readonly #directory = mkdtempDisposableSync(join(tmpdir(), 'kpng-bundle-'))

  constructor() {
    this.path = this.#directory.path
    this.write(
      'node_modules/.bin/node',
      '#!/bin/sh\nwhile case $1 in -*) true ;; *) false ;; esac; do shift; done\necho "$@"\n',
      0,
    )
    execFileSync('chmod', ['+x', join(this.path, 'node_modules/.bin/node')])
    mkdirSync(join(this.path, 'bin'))
    copyFileSync(launcher, join(this.path, 'bin/kpng'))
  }

  [Symbol.dispose](): void {
    this.#directory.remove()
  }

  write(name: string, text: string, ageSeconds: number): void {
    const path = join(this.path, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    const at = new Date(Date.now() - ageSeconds * 1_000)
    utimesSync(path, at, at)
  }

  /** What is started, without the directory of the checkout. */
  started(command = join(this.path, 'bin/kpng'), args: readonly string[] = ['get', 'services']): string {
    return execFileSync('sh', [command, ...args], { encoding: 'utf8' })
      .trim()
      .replace(`${this.path}/`, '')
  }
}

test('bin/kpng starts the bundle, from wherever it is linked, with all arguments', () => {
  using checkout = new Checkout()
  checkout.write(source, '', 100)
  checkout.write('package-lock.json', '', 100)
  checkout.write(bundle, '', 50)
  assert.equal(checkout.started(), `${bundle} get services`)
  const link = join(checkout.path, 'link')
  symlinkSync(join(checkout.path, 'bin/kpng'), link)
  assert.equal(checkout.started(link), `${bundle} get services`)
})

test('bin/kpng starts the bundle where there are no sources', () => {
  using checkout = new Checkout()
  checkout.write(bundle, '', 50)
  assert.equal(checkout.started(), `${bundle} get services`)
})

test('bin/kpng starts the sources where there is no bundle', () => {
  using checkout = new Checkout()
  checkout.write(source, '', 100)
  assert.equal(checkout.started(), `${source} get services`)
})

for (const name of ['server/select/select.ts', 'cmd/kpng/agent/agent.ts', 'package-lock.json'])
  test(`bin/kpng starts the sources when ${name} is newer than the bundle`, () => {
    using checkout = new Checkout()
    checkout.write(source, '', 100)
    checkout.write(bundle, '', 50)
    checkout.write(name, '', 10)
    assert.equal(checkout.started(), `${source} get services`)
  })
