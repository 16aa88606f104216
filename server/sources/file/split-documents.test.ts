import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { splitDocuments, splitList } from './split-documents.ts'

const parts = (text: string) => splitDocuments(text).map(it => text.slice(it.start, it.end))

describe('documents of a text', () => {
  const cases: [string, string, string[]][] = [
    ['nothing', '', []],
    ['comments only', '# a\n\n--- # b\n# c\n', []],
    ['one', 'a: 1\n', ['a: 1\n']],
    ['several', '---\na: 1\n---\nb: 2\n--- # next\nc: 3', ['a: 1\n', 'b: 2\n', 'c: 3']],
    ['empty ones', '---\n---\n\n---\na: 1\n---\n', ['a: 1\n']],
    ['an end marker', 'a: 1\n...\n# x\n---\nb: 2\n', ['a: 1\n', 'b: 2\n']],
    ['content on the marker line', 'a: 1\n--- {b: 2}\n', ['a: 1\n', '--- {b: 2}\n']],
    ['directives belong to what follows', '%YAML 1.2\n---\na: 1\n', ['%YAML 1.2\n---\na: 1\n']],
    ['markers that are none', 'a: ---\n --- x\n----\n', ['a: ---\n --- x\n----\n']],
    ['CRLF', '---\r\na: 1\r\n---\r\nb: 2\r\n', ['a: 1\r\n', 'b: 2\r\n']],
  ]
  for (const [title, text, expected] of cases) it(title, () => assert.deepEqual(parts(text), expected))
})

describe('items of a list', () => {
  function split(text: string) {
    const list = splitList(text, { start: 0, end: text.length })
    return list && { items: list.items.map(it => text.slice(it.start, it.end)), rest: list.rest }
  }
  const cases: [string, string, ReturnType<typeof split>][] = [
    [
      'as kubectl prints it',
      'v: 1\nitems:\n- a: 1\n  b:\n  - c\n- d\nkind: List\n',
      { items: ['- a: 1\n  b:\n  - c\n', '- d\n'], rest: 'v: 1\nitems:\nkind: List\n' },
    ],
    [
      'further right',
      'kind: List\nitems: # x\n\n  - a\n  # y\n  - b\n    - c\nv: 1',
      { items: ['  - a\n  # y\n', '  - b\n    - c\n'], rest: 'kind: List\nitems: # x\nv: 1' },
    ],
    ['first in the text', 'items:\n- a\n', { items: ['- a\n'], rest: 'items:\n' }],
    ['a dash alone', 'items:\n-\n  a: 1\n- b\n', { items: ['-\n  a: 1\n', '- b\n'], rest: 'items:\n' }],
    [
      'text with dashes in it',
      'items:\n- a: |\n    - x\n    items:\n- b\n',
      { items: ['- a: |\n    - x\n    items:\n', '- b\n'], rest: 'items:\n' },
    ],
    ['flow', 'items: [a]\n', undefined],
    ['empty', 'items:\nkind: List\n', undefined],
    ['none', 'a:\n  items:\n  - b\n', undefined],
  ]
  for (const [title, text, expected] of cases) it(title, () => assert.deepEqual(split(text), expected))
})
