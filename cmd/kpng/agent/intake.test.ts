import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ApiAnswer } from '@kpng/server'
import { Intake } from './intake.ts'

test('a source is asked at once, and what is told before there is a listener is told to it, up to a bound', async () => {
  const calls: string[] = []
  let answer: (answer: ApiAnswer) => void = () => {}
  const intake = new Intake(({ onAnswer, onRead }) => {
    answer = onAnswer
    return {
      prepare() {
        calls.push('prepare')
        onRead() // to nobody
      },
      async start() {},
      async rescan() {},
      problems: () => [],
      async [Symbol.asyncDispose]() {
        calls.push('closed')
      },
    }
  }, 'n1')
  assert.deepEqual(calls, ['prepare'])
  const heard: (number | undefined)[] = []
  for (let status = 0; status < 120; status++) answer({ method: 'GET', host: 'api', status })
  intake.listen({
    written: ({ key }) => calls.push(key),
    changed: () => calls.push('changed'),
    answered: ({ status }) => heard.push(status),
  })
  answer({ method: 'GET', host: 'api', status: 500 })
  assert.deepEqual(heard, [...Array(100).keys(), 500])
  intake.store.addSource('test')
  intake.store.delete('test', { kind: 'Node', name: 'n1' })
  await intake[Symbol.asyncDispose]()
  await intake[Symbol.asyncDispose]()
  assert.deepEqual(calls, ['prepare', 'n1', 'closed'])
})
