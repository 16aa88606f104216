import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Btf } from '../btf/btf.ts'
import { AttachType, Command, LinkType, MapFlag, MapType, ProgramType } from './bpf-enum.ts'
import * as layouts from './bpf-layout.ts'
import type { Layout } from './struct.ts'

const VMLINUX = '/sys/kernel/btf/vmlinux'
const skip = existsSync(VMLINUX) ? false : 'this kernel has no BTF of itself'

interface Field {
  readonly name: string
  readonly offset: number
  readonly size: number
  readonly type: number
}

/** All fields of a struct or union; those of anonymous members as its own, those of named ones as `a.b`. */
const fieldsOf = (btf: Btf, id: number, prefix = '', base = 0): Field[] => {
  const type = btf.type(btf.resolve(id))
  if (type.kind !== 'struct' && type.kind !== 'union') return []
  return type.members.flatMap(member => {
    const offset = base + member.bitOffset / 8
    const name = prefix + member.name
    const inner = fieldsOf(btf, member.type, member.name === '' ? prefix : `${name}.`, offset)
    if (member.name === '') return inner
    return [{ name, offset, size: btf.sizeOf(member.type), type: member.type }, ...inner]
  })
}

/** Where each layout is in the kernel: a struct, a part of `union bpf_attr` by name or by one of its fields. */
const places: ReadonlyArray<readonly [layout: keyof typeof layouts, place: string]> = [
  ['mapCreateAttr', 'bpf_attr with map_type'],
  ['mapElementAttr', 'bpf_attr with key'],
  ['mapNextKeyAttr', 'bpf_attr with key'],
  ['mapBatchAttr', 'bpf_attr.batch'],
  ['progLoadAttr', 'bpf_attr with insns'],
  ['objectPinAttr', 'bpf_attr with pathname'],
  ['testRunAttr', 'bpf_attr.test'],
  ['getIdAttr', 'bpf_attr with start_id'],
  ['objectInfoAttr', 'bpf_attr.info'],
  ['progQueryAttr', 'bpf_attr.query'],
  ['btfLoadAttr', 'bpf_attr with btf_size'],
  ['linkCreateAttr', 'bpf_attr.link_create'],
  ['linkUpdateAttr', 'bpf_attr.link_update'],
  ['iterCreateAttr', 'bpf_attr.iter_create'],
  ['enableStatsAttr', 'bpf_attr.enable_stats'],
  ['iterLinkInfoMap', 'bpf_iter_link_info.map'],
  ['mapInfo', 'bpf_map_info'],
  ['progInfo', 'bpf_prog_info'],
  ['linkInfo', 'bpf_link_info'],
  ['linkInfoCgroup', 'bpf_link_info.cgroup'],
  ['linkInfoIter', 'bpf_link_info.iter'],
]

const locate = (btf: Btf, place: string): number => {
  const [, root = '', , part, , marker] = /^(\w+)(\.(\w+))?( with (\w+))?$/.exec(place) ?? []
  const id = btf.idOf(root)
  if (marker !== undefined) {
    const type = btf.type(id)
    assert.ok(type.kind === 'union')
    const member = type.members.find(
      one => one.name === '' && fieldsOf(btf, one.type).some(({ name }) => name === marker),
    )
    assert.ok(member, place)
    return member.type
  }
  if (part === undefined) return id
  const field = fieldsOf(btf, id).find(({ name }) => name === part)
  assert.ok(field, place)
  return field.type
}

test('layouts written by hand are those of the running kernel', { skip }, async t => {
  const btf = Btf.parse(readFileSync(VMLINUX), 'vmlinux')

  const table = new Map<string, Layout<string> | number>(Object.entries(layouts))
  for (const [name, place] of places) {
    await t.test(`${name} is ${place}`, () => {
      const layout = table.get(name)
      assert.ok(typeof layout === 'object')
      const id = locate(btf, place)
      const actual = new Map(fieldsOf(btf, id).map(field => [field.name, [field.offset, field.size]]))
      // An older kernel has fewer fields at the end.
      const end = btf.sizeOf(id)
      const known = Object.entries(layout.fields).filter(([, [offset]]) => offset < end)
      const expected = known.map(([field, where]) => [field, [...where]])
      assert.notEqual(expected.length, 0)
      assert.deepEqual(
        expected.map(([field]) => [field, actual.get(String(field))]),
        expected,
      )
    })
  }

  await t.test('no layout is left out of this test', () => {
    const objects = Object.entries(layouts).filter(([, value]) => typeof value === 'object')
    assert.deepEqual(objects.map(([name]) => name).sort(), places.map(([name]) => name).sort())
  })

  await t.test('the union of bpf_link_info begins where it is looked for', () => {
    const cgroup = fieldsOf(btf, btf.idOf('bpf_link_info')).find(({ name }) => name === 'cgroup')
    assert.equal(cgroup?.offset, layouts.LINK_INFO_UNION)
  })

  await t.test('numbers of commands, types and flags are those of the kernel', () => {
    const values = new Map(
      btf.types.flatMap(type =>
        type.kind === 'enum' ? type.values.map(v => [v.name, v.value] as const) : [],
      ),
    )
    const tables = [
      ['BPF_', Command],
      ['BPF_MAP_TYPE_', MapType],
      ['BPF_F_', MapFlag],
      ['BPF_PROG_TYPE_', ProgramType],
      ['BPF_', AttachType],
      ['BPF_LINK_TYPE_', LinkType],
    ] as const
    const expected = tables.flatMap(([prefix, table]) =>
      Object.entries(table).map(([name, value]) => [prefix + name, value] as const),
    )
    // The youngest may be missing in an older kernel.
    const known = expected.filter(([name]) => values.has(name))
    assert.ok(known.length > 0.9 * expected.length)
    assert.deepEqual(
      known.map(([name]) => [name, values.get(name)]),
      known,
    )
  })
})
