import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NodeView, ServiceView, ViewSink } from '@kpng/api'
import { LoggingSink } from './logging-sink.ts'
import { recordedLog } from './testing/recorded-log.ts'

const service = (...ports: string[]) =>
  ({ namespace: 'ns', name: 'web', ports: ports.map(name => ({ name })) }) as unknown as ServiceView

function world(level: string) {
  const calls: string[] = []
  const inner: ViewSink = {
    setNode: () => calls.push('setNode'),
    setService: () => calls.push('setService'),
    deleteService: () => calls.push('deleteService'),
    sync: state => calls.push(`sync ${state?.complete}`),
  }
  const { logger, lines } = recordedLog(level)
  return { sink: new LoggingSink(inner, logger), calls, lines }
}

test('[KP-12.1] service ports that come, change and go are said at debug', () => {
  const { sink, lines } = world('debug')
  sink.setService(service('http', ''))
  sink.setService(service('http', 'new'))
  sink.deleteService('ns', 'web')
  assert.deepEqual(
    lines.map(({ msg, servicePortName }) => `${msg} ${servicePortName}`),
    [
      'Adding new service port ns/web:http',
      'Adding new service port ns/web',
      'Updating existing service port ns/web:http',
      'Adding new service port ns/web:new',
      'Removing service port ns/web',
      'Removing service port ns/web:http',
      'Removing service port ns/web:new',
    ],
  )
})

test('every call is handed on, and nothing said where nobody asked for it', () => {
  const { sink, calls, lines } = world('info')
  sink.setNode({} as NodeView)
  sink.setService(service('http'))
  sink.deleteService('ns', 'web')
  sink.sync({ complete: false })
  sink.sync()
  assert.deepEqual(calls, ['setNode', 'setService', 'deleteService', 'sync false', 'sync undefined'])
  assert.deepEqual(lines, [])
})
