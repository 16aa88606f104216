import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { isReliable, playScenario } from './testing/scenario.ts'

const directory = new URL('testdata/', import.meta.url)

describe('scenarios', () => {
  for (const file of readdirSync(directory).filter(name => name.endsWith('.scenario'))) {
    const text = readFileSync(new URL(file, directory), 'utf8')
    it(`${file}, nothing failing`, () => playScenario(text, 0, 1))
    if (isReliable(text)) continue
    // KPNG_SEED plays again what a failure has printed.
    const seed = Number(process.env.KPNG_SEED ?? Math.floor(Math.random() * 2 ** 31))
    it(`${file}, one operation in ten failing, seed ${seed}`, () => playScenario(text, 0.1, seed))
  }
})
