/** Writes the tables of docs/configuration.md anew, from the code. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { renderPage } from '../../cmd/kpng/agent/configuration/page.ts'

const path = join(import.meta.dirname, '../../docs/configuration.md')
writeFileSync(path, renderPage(readFileSync(path, 'utf8')))
