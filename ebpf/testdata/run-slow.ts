import { workerData } from 'node:worker_threads'
import { openProgramById } from '../program.ts'

// A worker, because BPF_PROG_TEST_RUN holds its thread as long as the program runs.
using program = openProgramById(workerData.program)
program.testRun({ data: new Uint8Array(64) })
