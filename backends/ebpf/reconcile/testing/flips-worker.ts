import { parentPort, workerData } from 'node:worker_threads'
import { type WatchOrder, watch } from './flips.ts'

parentPort?.postMessage(watch(workerData as WatchOrder))
