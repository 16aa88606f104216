import { EbpfError } from '../error.ts'
import type { Libbpf, Pointer } from './libbpf.ts'
import { bytesAt } from './memory.ts'

/** A `const volatile` global: where it lies in `.rodata`, in bytes. */
export interface ConstantSpec {
  readonly name: string
  readonly offset: number
  readonly size: number
}

/** Numbers for globals of 1, 2, 4 and 8 bytes, bytes for any. */
export type ConstantValue = boolean | number | bigint | Uint8Array

const KIND_DATASEC = 15
const TYPE_BYTES = 12 // struct btf_type: name_off, info, size or type
const VARIABLE_BYTES = 12 // struct btf_var_secinfo: type, offset, size

/**
 * The variables of `.rodata`. Asked of libbpf and not read from the file, because the compiler leaves the
 * offsets to the loader. String literals and switch tables have no name and are left out.
 */
export const readConstants = (lib: Libbpf, btf: Pointer): ConstantSpec[] => {
  if (btf === null) return []
  const id = lib.btfFind(btf, '.rodata', KIND_DATASEC)
  if (id < 0) return []
  const section = typeAt(lib, btf, id, TYPE_BYTES)
  const count = section.getUint32(4, true) & 0xffff // vlen
  const variables = typeAt(lib, btf, id, TYPE_BYTES + count * VARIABLE_BYTES)
  return Array.from({ length: count }, (_, index) => {
    const at = TYPE_BYTES + index * VARIABLE_BYTES
    const variable = typeAt(lib, btf, variables.getUint32(at, true), TYPE_BYTES)
    return {
      name: lib.btfName(btf, variable.getUint32(0, true)) ?? '',
      offset: variables.getUint32(at + 4, true),
      size: variables.getUint32(at + 8, true),
    }
  })
}

const typeAt = (lib: Libbpf, btf: Pointer, id: number, length: number): DataView => {
  const address = lib.btfType(btf, id)
  if (address === null) throw new EbpfError('LOAD', `the object's BTF has no type ${id}`)
  const bytes = bytesAt(address, length)
  return new DataView(bytes.buffer, bytes.byteOffset, length)
}

/** Throws INVALID when the value does not fit in the constant's bytes. */
export const encodeConstant = ({ name, size }: ConstantSpec, value: ConstantValue): Uint8Array => {
  if (typeof value === 'object') {
    if (value.length === size) return value
    throw new EbpfError('INVALID', `constant ${name} has ${size} bytes, not ${value.length}`)
  }
  if (![1, 2, 4, 8].includes(size)) {
    throw new EbpfError('INVALID', `constant ${name} has ${size} bytes: give it an array of bytes`)
  }
  const wide = BigInt(value)
  if (BigInt.asUintN(size * 8, wide) !== wide && BigInt.asIntN(size * 8, wide) !== wide) {
    throw new EbpfError('INVALID', `constant ${name}: ${value} does not fit in ${size} bytes`)
  }
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, wide), true)
  return bytes.subarray(0, size)
}
