/** The closed set of things that can go wrong at the kernel edge. */
export type EbpfErrorCode =
  | 'NOT_FOUND' // no such key, pin, id, file
  | 'EXISTS' // the key or pin is there already
  | 'MAP_FULL' // no room, or an array index beyond the end
  | 'NO_MEMORY'
  | 'PERMISSION' // a capability is missing, or a guard refused
  | 'UNSUPPORTED' // the kernel or the machine lacks it; the message says what and since when
  | 'INVALID' // wrong arguments
  | 'BUSY' // held by somebody else
  | 'GONE' // what a link was attached to no longer exists
  | 'MALFORMED' // bytes from outside are not what they claim to be: an object, BTF, an answer of the kernel
  | 'LAYOUT' // a map is there, but not the one that was expected
  | 'VERIFIER' // a program was refused; see VerifierError
  | 'LOAD' // an object could not be opened or loaded, other than by the verifier
  | 'LIBBPF' // libbpf.so.1 is missing or too old
  | 'CLOSED' // used after dispose
  | 'KERNEL' // any other errno

export interface EbpfErrorOptions {
  /** Name of the kernel's error, e.g. `EINVAL`. */
  readonly errno?: string
  readonly cause?: unknown
  /** Batch writes: how many of the entries are in the map, counted from the first. */
  readonly written?: number
}

/** The one error class of this package: what failed, on which object, and what to do about it. */
export class EbpfError extends Error {
  override readonly name: string = 'EbpfError'
  readonly code: EbpfErrorCode
  readonly errno: string | undefined
  readonly written: number | undefined

  constructor(code: EbpfErrorCode, message: string, options: EbpfErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : {})
    this.code = code
    this.errno = options.errno
    this.written = options.written
  }
}
