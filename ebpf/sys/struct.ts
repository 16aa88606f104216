import { addressOf } from './memory.ts'

/** Where the fields of a kernel struct are: [offset, size] in bytes, under the kernel's names. */
export interface Layout<N extends string> {
  readonly size: number
  readonly fields: Readonly<Record<N, readonly [offset: number, size: number]>>
}

/** Memory laid out as a kernel struct, zeroed. Keeps what it points to reachable. */
export class Struct<N extends string> {
  readonly bytes: Uint8Array
  readonly #layout: Layout<N>
  readonly #view: DataView
  readonly #held = new Map<N, Uint8Array>()

  constructor(layout: Layout<N>, values: { readonly [F in N]?: number | bigint | Uint8Array } = {}) {
    this.#layout = layout
    this.bytes = new Uint8Array(layout.size)
    this.#view = new DataView(this.bytes.buffer)
    for (const name in values) {
      const value = values[name]
      if (value !== undefined) this.set(name, value)
    }
  }

  /** A copy of bytes that the kernel wrote; as many as the layout has. */
  static of<N extends string>(layout: Layout<N>, bytes: Uint8Array): Struct<N> {
    const struct = new Struct(layout)
    struct.bytes.set(bytes.subarray(0, layout.size))
    return struct
  }

  /** An array of bytes is pointed to where the field is 8 bytes wide (an __aligned_u64), else copied in. */
  set(name: N, value: number | bigint | Uint8Array): void {
    const [offset, size] = this.#layout.fields[name]
    if (typeof value === 'object') {
      if (size === 8) {
        this.#held.set(name, value)
        this.#view.setBigUint64(offset, BigInt(addressOf(value)), true)
      } else {
        this.bytes.fill(0, offset, offset + size)
        this.bytes.set(value.subarray(0, size), offset)
      }
    } else if (size === 8) {
      this.#view.setBigUint64(offset, BigInt.asUintN(64, BigInt(value)), true)
    } else if (size === 4) {
      this.#view.setUint32(offset, Number(value), true)
    } else {
      throw new RangeError(`field ${name} has ${size} bytes`)
    }
  }

  /** A field of 4 bytes. */
  u32(name: N): number {
    return this.#view.getUint32(this.#layout.fields[name][0], true)
  }

  /** A field of 8 bytes. */
  u64(name: N): bigint {
    return this.#view.getBigUint64(this.#layout.fields[name][0], true)
  }

  /** The field as it is; shares memory. */
  slice(name: N): Uint8Array {
    const [offset, size] = this.#layout.fields[name]
    return this.bytes.subarray(offset, offset + size)
  }
}
