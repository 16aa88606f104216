import type { Btf } from './btf.ts'
import type { BtfComposite, BtfMember } from './types.ts'

/** A map as an object's .maps section declares it. */
export interface MapDefinition {
  readonly name: string
  /** enum bpf_map_type. */
  readonly type: number
  /** Type ids; undefined where only a size is declared, or nothing (ring buffer). */
  readonly keyType: number | undefined
  readonly valueType: number | undefined
  /** In bytes. */
  readonly keySize: number
  readonly valueSize: number
  /** 0 where the loader decides. */
  readonly maxEntries: number
  /** BPF_F_*. */
  readonly flags: number
}

/** The maps of an object in BTF form (libbpf's `__uint`, `__type`), by name. Throws MALFORMED. */
export function mapDefinitions(btf: Btf): MapDefinition[] {
  const section = btf.section('.maps')
  if (section === undefined) return []
  return section.variables.map(({ type }) => {
    const variable = btf.type(type)
    if (variable.kind !== 'var') throw btf.bad('section .maps holds what is no variable')
    const struct = btf.type(btf.resolve(variable.type))
    if (struct.kind !== 'struct') throw btf.bad(`map ${variable.name} is no struct`)
    return readDefinition(btf, variable.name, struct)
  })
}

function readDefinition(btf: Btf, name: string, struct: BtfComposite): MapDefinition {
  const member = (field: string) => struct.members.find(candidate => candidate.name === field)
  const number = (field: string) => uint(btf, name, member(field))
  const pointee = (field: string) => target(btf, name, member(field))
  const keyType = pointee('key')
  const valueType = pointee('value')
  const type = number('type')
  if (type === undefined) throw btf.bad(`map ${name} has no type`)
  return {
    name,
    type,
    keyType,
    valueType,
    keySize: keyType === undefined ? (number('key_size') ?? 0) : btf.sizeOf(keyType),
    valueSize: valueType === undefined ? (number('value_size') ?? 0) : btf.sizeOf(valueType),
    maxEntries: number('max_entries') ?? 0,
    flags: number('map_flags') ?? 0,
  }
}

/** `__uint(x, 5)` is `int (*x)[5]`. */
function uint(btf: Btf, map: string, member: BtfMember | undefined): number | undefined {
  const id = target(btf, map, member)
  if (id === undefined) return undefined
  const array = btf.type(btf.resolve(id))
  if (array.kind !== 'array') throw btf.bad(`map ${map}: ${member?.name} is not declared with __uint`)
  return array.length
}

/** `__type(x, T)` is `T *x`. */
function target(btf: Btf, map: string, member: BtfMember | undefined): number | undefined {
  if (member === undefined) return undefined
  const pointer = btf.type(btf.resolve(member.type))
  if (pointer.kind !== 'ptr') throw btf.bad(`map ${map}: ${member.name} is no pointer`)
  return pointer.type
}
