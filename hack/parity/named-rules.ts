/** The rules that tests name: `[KP-3.2 KP-14.4]` at the beginning of a test's name. */

/** A quote, the brackets, their ids. A scenario's name is the comment at its beginning. */
const NAMED = /(?:['"`]|^# ?)\[(KP-[^\]\n]*)\]/gm

/** The ids that a file's tests name. */
export function namedRules(source: string): Set<string> {
  return new Set([...source.matchAll(NAMED)].flatMap(([, ids = '']) => ids.trim().split(/[ ,]+/)))
}
