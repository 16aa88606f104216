/** Makes raw BTF for tests, well-formed or not: ids are given in the order of the calls, from 1 on. */
export class BtfWriter {
  readonly #words: number[] = []
  readonly #strings = ['']
  #stringBytes = 1
  #ids = 0

  int(name: string, size: number, encoding: 'unsigned' | 'signed' | 'bool' = 'unsigned'): number {
    const flags = { unsigned: 0, signed: 1, bool: 4 }[encoding]
    return this.add(name, 1, 0, size, [(flags << 24) | (size * 8)])
  }

  ptr(type: number): number {
    return this.add('', 2, 0, type)
  }

  array(element: number, length: number): number {
    return this.add('', 3, 0, 0, [element, element, length])
  }

  /** Members as [name, type, offset in bits, width in bits]; a width makes it a struct with bitfields. */
  struct(name: string, size: number, members: readonly WriterMember[], kind: 4 | 5 = 4): number {
    const flag = members.some(([, , , bits]) => bits !== undefined)
    const words = members.flatMap(([member, type, offset, bits = 0]) => [
      this.string(member),
      type,
      flag ? (bits << 24) | offset : offset,
    ])
    return this.add(name, kind, members.length, size, words, flag)
  }

  union(name: string, size: number, members: readonly WriterMember[]): number {
    return this.struct(name, size, members, 5)
  }

  enum(name: string, values: Readonly<Record<string, number>>, signed = false, size = 4): number {
    const words = Object.entries(values).flatMap(([key, value]) => [this.string(key), value >>> 0])
    return this.add(name, 6, Object.keys(values).length, size, words, signed)
  }

  enum64(name: string, values: Readonly<Record<string, bigint>>, signed = false): number {
    const words = Object.entries(values).flatMap(([key, value]) => {
      const raw = BigInt.asUintN(64, value)
      return [this.string(key), Number(raw & 0xffff_ffffn), Number(raw >> 32n)]
    })
    return this.add(name, 19, Object.keys(values).length, 8, words, signed)
  }

  typedef(name: string, type: number): number {
    return this.add(name, 8, 0, type)
  }

  const(type: number): number {
    return this.add('', 10, 0, type)
  }

  volatile(type: number): number {
    return this.add('', 9, 0, type)
  }

  variable(name: string, type: number): number {
    return this.add(name, 14, 0, type, [1])
  }

  section(name: string, variables: readonly number[]): number {
    return this.add(
      name,
      15,
      variables.length,
      0,
      variables.flatMap(id => [id, 0, 0]),
    )
  }

  /** Any type, from its parts. */
  add(
    name: string,
    kind: number,
    length: number,
    sizeOrType: number,
    more: readonly number[] = [],
    flag = false,
  ): number {
    const info = ((flag ? 1 : 0) << 31) | (kind << 24) | length
    this.#words.push(this.string(name), info >>> 0, sizeOrType, ...more)
    this.#ids++
    return this.#ids
  }

  /** Offset of a text. */
  string(text: string): number {
    if (text === '') return 0
    const offset = this.#stringBytes
    this.#strings.push(text)
    this.#stringBytes += Buffer.byteLength(text) + 1
    return offset
  }

  bytes(): Uint8Array {
    const strings = Buffer.from(this.#strings.map(text => `${text}\0`).join(''))
    const typeBytes = this.#words.length * 4
    const bytes = Buffer.alloc(24 + typeBytes + strings.length)
    bytes.writeUInt16LE(0xeb9f, 0)
    bytes.writeUInt8(1, 2)
    for (const [index, word] of [24, 0, typeBytes, typeBytes, strings.length].entries()) {
      bytes.writeUInt32LE(word, 4 + index * 4)
    }
    for (const [index, word] of this.#words.entries()) bytes.writeUInt32LE(word >>> 0, 24 + index * 4)
    strings.copy(bytes, 24 + typeBytes)
    return bytes
  }
}

export type WriterMember = readonly [name: string, type: number, bitOffset: number, bits?: number]

/** BTF with every kind in it. */
export function btfOfEveryKind(): Uint8Array {
  const w = new BtfWriter()
  const u32 = w.int('unsigned int', 4)
  const char = w.int('char', 1, 'signed')
  const bool = w.int('_Bool', 1, 'bool')
  const be16 = w.typedef('__be16', w.typedef('__u16', w.int('unsigned short', 2)))
  const kind = w.enum('kind', { KIND_ONE: 1, KIND_MINUS: -1 }, true)
  const wide = w.enum64('wide', { WIDE_SMALL: 1n, WIDE_BIG: 0x8000_0000_0000_0000n })
  const inner = w.struct('', 8, [
    ['low', u32, 0],
    ['high', u32, 32],
  ])
  const either = w.union('', 8, [
    ['small', u32, 0],
    ['pair', inner, 0],
  ])
  const forward = w.add('elsewhere', 7, 0, 0)
  const everything = w.struct('everything', 80, [
    ['name', w.array(char, 16), 0],
    ['flag', w.const(w.volatile(bool)), 128],
    ['port', be16, 144],
    ['kind', kind, 160],
    ['wide', wide, 192],
    ['', either, 256],
    ['grid', w.array(w.array(u32, 2), 3), 320],
    ['next', w.ptr(w.add('', 18, 0, forward)), 512],
    ['ratio', w.add('double', 16, 0, 8), 576],
  ])
  const prototype = w.add('', 13, 1, 0, [w.string('e'), w.ptr(everything)])
  const fn = w.add('run', 12, 1, prototype)
  w.add('tag', 17, 0, fn, [0xffff_ffff])
  w.add('', 11, 0, w.ptr(u32))
  w.section('.data', [w.variable('everything', everything)])
  return w.bytes()
}
