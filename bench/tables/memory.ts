import { grouped, type Measured, table } from './markdown.ts'

interface SocketMemory {
  readonly bytesPerSocket: number
  readonly objectsPerSocket: Readonly<Record<string, number>>
}

interface SocketMemoryResults {
  readonly tcp: SocketMemory
  readonly udp: SocketMemory
}

const objects = ({ objectsPerSocket }: SocketMemory): string =>
  Object.entries(objectsPerSocket)
    .map(([cache, count]) => `${count} × ${cache}`)
    .join(', ')

/** Of the report `socket-memory`. */
export function memoryTables({ parameters, results }: Measured<SocketMemoryResults>): Record<string, string> {
  return {
    'socket-memory': table([
      [`over ${grouped(parameters.sockets ?? Number.NaN)} sockets`, 'bytes each', 'objects'],
      ['TCP', `${results.tcp.bytesPerSocket}`, objects(results.tcp)],
      ['UDP', `${results.udp.bytesPerSocket}`, objects(results.udp)],
    ]),
  }
}
