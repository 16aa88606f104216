/**
 * BTF types as plain data, one variant a kind (linux/btf.h, Documentation/bpf/btf.rst). Numbers named `type`,
 * `element`, … are type ids of the same Btf; id 0 is void. Names may be empty: anonymous.
 */
export type BtfType =
  | { readonly kind: 'void' }
  | BtfInt
  | { readonly kind: 'ptr'; readonly type: number }
  | BtfArray
  | BtfComposite
  | BtfEnum
  | { readonly kind: 'fwd'; readonly name: string; readonly of: 'struct' | 'union' }
  | { readonly kind: 'typedef'; readonly name: string; readonly type: number }
  | { readonly kind: 'volatile' | 'const' | 'restrict'; readonly type: number }
  | { readonly kind: 'func'; readonly name: string; readonly type: number; readonly linkage: BtfLinkage }
  | { readonly kind: 'func-proto'; readonly result: number; readonly params: readonly BtfParam[] }
  | BtfVar
  | BtfDatasec
  | { readonly kind: 'float'; readonly name: string; readonly size: number }
  | { readonly kind: 'decl-tag'; readonly tag: string; readonly type: number; readonly component: number }
  | { readonly kind: 'type-tag'; readonly tag: string; readonly type: number }

export type BtfKind = BtfType['kind']

export type BtfLinkage = 'static' | 'global' | 'extern'

export interface BtfInt {
  readonly kind: 'int'
  readonly name: string
  /** Bytes of storage. */
  readonly size: number
  readonly signed: boolean
  readonly bool: boolean
  /** Where the value lies in the storage, in bits: an old way to say bitfield. Else 0 and size * 8. */
  readonly bitOffset: number
  readonly bits: number
}

export interface BtfArray {
  readonly kind: 'array'
  readonly element: number
  readonly index: number
  readonly length: number
}

export interface BtfComposite {
  readonly kind: 'struct' | 'union'
  readonly name: string
  /** sizeof, in bytes. */
  readonly size: number
  readonly members: readonly BtfMember[]
}

export interface BtfMember {
  readonly name: string
  readonly type: number
  /** From the beginning of the struct, in bits. */
  readonly bitOffset: number
  /** Width of a bitfield; 0 for an ordinary member. */
  readonly bits: number
}

/** enum and enum64. Values beyond 2^53 are bigint. */
export interface BtfEnum {
  readonly kind: 'enum'
  readonly name: string
  readonly size: number
  readonly signed: boolean
  readonly values: readonly BtfEnumValue[]
}

export interface BtfEnumValue {
  readonly name: string
  readonly value: number | bigint
}

export interface BtfParam {
  readonly name: string
  readonly type: number
}

export interface BtfVar {
  readonly kind: 'var'
  readonly name: string
  readonly type: number
  readonly linkage: BtfLinkage
}

/** An ELF data section. In an object that libbpf has not loaded, size and offsets may still be 0. */
export interface BtfDatasec {
  readonly kind: 'datasec'
  readonly name: string
  readonly size: number
  readonly variables: readonly BtfSectionVariable[]
}

export interface BtfSectionVariable {
  /** Id of a var. */
  readonly type: number
  readonly offset: number
  readonly size: number
}
