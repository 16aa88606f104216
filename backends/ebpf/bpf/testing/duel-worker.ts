import { parentPort, workerData } from 'node:worker_threads'
import { type DuelOrder, secondDuellist } from './duel.ts'

secondDuellist(workerData as DuelOrder, () => parentPort?.postMessage('ready'))
