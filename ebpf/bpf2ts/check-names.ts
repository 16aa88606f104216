import { EbpfError } from '../error.ts'
import type { Bindings } from './bindings.ts'

const IDENTIFIER = /^[A-Za-z_]\w*$/
/** Printable ASCII that a text in single quotes holds as it is. */
const PLAIN = /^[ -&(-[\]-~]+$/

/**
 * Names of other languages, or of nobody's making, would be other TypeScript than meant: an object is not trusted with
 * that. Throws MALFORMED.
 */
export function checkNames({ enums, structs, maps, programs, constants }: Bindings): void {
  const named = {
    enum: enums,
    'enum value': enums.flatMap(({ values }) => [...values]),
    struct: structs,
    field: structs.flatMap(({ fields }) => fields.map(({ cName }) => ({ name: cName }))),
    map: maps,
    program: programs,
    constant: constants,
  }
  for (const [kind, things] of Object.entries(named))
    for (const { name } of things) check(IDENTIFIER, kind, name, 'is no identifier of C')
  for (const { section, object } of programs) {
    check(PLAIN, 'section', section, 'is no section of a program')
    check(PLAIN, 'object', object, 'has characters that bindings cannot name')
  }
  for (const { objects } of constants)
    for (const object of objects) check(PLAIN, 'object', object, 'has characters that bindings cannot name')
}

function check(pattern: RegExp, kind: string, name: string, why: string): void {
  if (!pattern.test(name))
    throw new EbpfError('MALFORMED', `the name of a ${kind} ${why}: ${JSON.stringify(name)}`)
}
