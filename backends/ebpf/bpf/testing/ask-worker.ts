import { parentPort, workerData } from 'node:worker_threads'
import { openProgramById } from '@kpng/ebpf'
import { ask } from './ask.ts'
import type { AskOrder } from './ask-beside.ts'

const { programId, vip, port, times } = workerData as AskOrder
using program = openProgramById(programId)
parentPort?.postMessage('ready')
ask(program, vip, port, { count: 1 }, times)
