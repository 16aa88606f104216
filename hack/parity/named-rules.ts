/** What tests name: `[KP-3.2 KP-14.4 KPNG-D1]` at the beginning of a test's name. */

/** A quote, the brackets, their ids. A scenario's name is the comment at its beginning. */
const NAMED = /(?:['"`]|^# ?)\[((?:KP|KPNG|DP)-[^\]\n]*)\]/gm

/** The ids that a file's tests name: of rules, and of defects (hack/defects). */
export function namedIds(source: string): Set<string> {
  return new Set([...source.matchAll(NAMED)].flatMap(([, ids = '']) => ids.trim().split(/[ ,]+/)))
}

/** Those that are not of defects. */
export const namedRules = (source: string): Set<string> =>
  new Set([...namedIds(source)].filter(id => !/^(?:KPNG|DP)-/.test(id)))
