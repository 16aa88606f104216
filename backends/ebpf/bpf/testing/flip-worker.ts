import { parentPort, workerData } from 'node:worker_threads'
import { type FlipOrder, flip } from './flip.ts'

flip(workerData as FlipOrder, () => parentPort?.postMessage('started'))
