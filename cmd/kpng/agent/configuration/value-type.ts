import { formatDuration, parseDuration } from './duration.ts'

/** Tells a mistake inside a value: `.name` or `[0]`, '' for the value itself, and `must be …`. */
export type Report = (inside: string, message: string) => void

/** A kind of value: how it stands in a document, in a flag, and in print. */
export interface ValueType<T> {
  /** From YAML or JSON. undefined: none of this type, and told. */
  read(value: unknown, report: Report): T | undefined
  /** From a flag. undefined: none of this type, and told. */
  parse(text: string, report: Report): T | undefined
  /** To JSON. */
  print(value: T): unknown
}

const show = (value: unknown): string => JSON.stringify(value) ?? String(value)

function expect<T>(what: string, value: T | undefined, from: unknown, report: Report): T | undefined {
  if (value === undefined) report('', `must be ${what}, is ${show(from)}`)
  return value
}

const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True'])
const FALSE = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False'])

/** As Go's strconv.ParseBool. */
const parseBoolean = (text: string): boolean | undefined =>
  TRUE.has(text) ? true : FALSE.has(text) ? false : undefined

export const string: ValueType<string> = {
  read: (value, report) => expect('a string', typeof value === 'string' ? value : undefined, value, report),
  parse: text => text,
  print: value => value,
}

export const boolean: ValueType<boolean> = {
  read: (value, report) =>
    expect('true or false', typeof value === 'boolean' ? value : undefined, value, report),
  parse: (text, report) => expect('true or false', parseBoolean(text), text, report),
  print: value => value,
}

function numeric(what: string, good: (value: number) => boolean): ValueType<number> {
  const check = (value: number): number | undefined => (good(value) ? value : undefined)
  return {
    read: (value, report) =>
      expect(what, typeof value === 'number' ? check(value) : undefined, value, report),
    parse: (text, report) => expect(what, text.trim() === '' ? undefined : check(Number(text)), text, report),
    print: value => value,
  }
}

/** A word out of a few. */
export function oneOf<W extends string>(...words: readonly W[]): ValueType<W> {
  const check = (value: unknown): W | undefined => words.find(word => word === value)
  const what = words.length === 1 ? String(words[0]) : `one of ${words.join(', ')}`
  return {
    read: (value, report) => expect(what, check(value), value, report),
    parse: (text, report) => expect(what, check(text), text, report),
    print: value => value,
  }
}

export const wholeNumber = (least: number, most: number): ValueType<number> =>
  numeric(
    `a whole number from ${least} to ${most}`,
    value => Number.isInteger(value) && value >= least && value <= most,
  )

/** 32 bits, signed. */
export const integer = numeric(
  'a whole number of 32 bits',
  value => Number.isInteger(value) && Math.abs(value) < 2 ** 31,
)

/** 32 bits, not signed: a verbosity. */
export const unsigned = numeric(
  'a whole number, 0 or more',
  value => Number.isInteger(value) && value >= 0 && value < 2 ** 32,
)

export const decimal = numeric('a number', Number.isFinite)

/** Milliseconds. */
export const duration: ValueType<number> = {
  read: (value, report) => {
    const ms = typeof value === 'string' ? parseDuration(value) : undefined
    return expect('a duration such as 30s or 1m30s', ms, value, report)
  },
  parse: (text, report) => duration.read(text, report),
  print: formatDuration,
}

/** Milliseconds; a number in a document is nanoseconds, as logging.flushFrequency has it for old times' sake. */
export const durationOrNanoseconds: ValueType<number> = {
  ...duration,
  read: (value, report) => (Number.isInteger(value) ? Number(value) / 1e6 : duration.read(value, report)),
}

export const strings: ValueType<readonly string[]> = {
  read(value, report) {
    if (!Array.isArray(value)) return expect('a list of strings', undefined, value, report)
    let good = true
    for (const [index, item] of value.entries()) {
      if (typeof item === 'string') continue
      report(`[${index}]`, `must be a string, is ${show(item)}`)
      good = false
    }
    return good ? value : undefined
  },
  parse: text => (text.trim() === '' ? [] : text.split(',').map(word => word.trim())),
  print: value => (value.length === 0 ? null : [...value]),
}

/** Feature gates. */
export const booleans: ValueType<Readonly<Record<string, boolean>>> = {
  read(value, report) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return expect('names, each with true or false', undefined, value, report)
    let good = true
    for (const [name, item] of Object.entries(value)) {
      if (typeof item === 'boolean') continue
      report(`.${name}`, `must be true or false, is ${show(item)}`)
      good = false
    }
    return good ? (value as Record<string, boolean>) : undefined
  },
  parse(text, report) {
    const found: Record<string, boolean> = {}
    let good = true
    for (const word of text.split(',').map(part => part.trim())) {
      if (word === '') continue
      const [name = '', value = ''] = word.split(/=(.*)/s).map(part => part.trim())
      const parsed = parseBoolean(value)
      if (parsed !== undefined && name !== '') found[name] = parsed
      else good = false
    }
    return expect('NAME=true or NAME=false, comma-separated', good ? found : undefined, text, report)
  },
  print: value => ({ ...value }),
}

export interface ModuleVerbosity {
  readonly filePattern: string
  readonly verbosity: number
}

/** Verbosity by source file. */
export const modules: ValueType<readonly ModuleVerbosity[]> = {
  read(value, report) {
    if (!Array.isArray(value)) return expect('a list', undefined, value, report)
    const found: ModuleVerbosity[] = []
    for (const [index, item] of value.entries()) {
      const { filePattern = '', verbosity = 0, ...rest } = Object(item) as Record<string, unknown>
      for (const name of Object.keys(rest)) report(`[${index}].${name}`, 'unknown field')
      const tell: Report = (inside, message) => report(`[${index}]${inside}`, message)
      const pattern = string.read(filePattern, (_inside, message) => tell('.filePattern', message))
      const level = unsigned.read(verbosity, (_inside, message) => tell('.verbosity', message))
      if (pattern !== undefined && level !== undefined) found.push({ filePattern: pattern, verbosity: level })
    }
    return found.length === value.length ? found : undefined
  },
  parse(text, report) {
    const words = text.split(',').filter(word => word.trim() !== '')
    const found = words.map(word => {
      const [, filePattern = '', level = ''] = /^([^=]+)=(\d+)$/.exec(word.trim()) ?? []
      return { filePattern, verbosity: Number(level) }
    })
    const good = found.every(({ filePattern }) => filePattern !== '')
    return expect('PATTERN=N, comma-separated', good ? found : undefined, text, report)
  },
  print: value => value.map(item => ({ ...item })),
}

/** A number of bytes as Kubernetes writes them: 512, 1K, 2Mi. Kept as text: nothing here is so large. */
export const quantity: ValueType<string> = {
  read(value, report) {
    const text = typeof value === 'number' ? String(value) : value
    const good =
      typeof text === 'string' && /^[+-]?\d+(\.\d*)?([numkMGTPE]|[KMGTPE]i?|[eE][+-]?\d+)?$/.test(text)
    return expect('a quantity such as 512 or 2Mi', good ? text : undefined, value, report)
  },
  parse: (text, report) => quantity.read(text, report),
  print: value => value,
}
