/** The closed set of things that can go wrong at the kernel edge. */
export type EbpfErrorCode =
  | 'EXISTS' // there already is such a key, pin or link
  | 'NOT_FOUND' // no such key, pin, type, namespace, …
  | 'MAP_FULL'
  | 'BAD_INPUT' // bytes from outside that are not what they claim to be: an object, BTF, a netlink answer
  | 'BAD_VALUE' // a value that the C type cannot hold
  | 'UNSUPPORTED' // this kernel or machine lacks it
  | 'SYSCALL' // any other failure of a call; see errno

/** The one error class of this package: what failed, on which object, with errno where the kernel said no. */
export class EbpfError extends Error {
  override readonly name = 'EbpfError'
  readonly code: EbpfErrorCode
  /** The errno's name, e.g. 'EINVAL'. */
  readonly errno: string | undefined
  /** After a failed batch: how many entries were written before the failure, and are in the map. */
  readonly written: number | undefined

  constructor(
    code: EbpfErrorCode,
    message: string,
    options: { cause?: unknown; errno?: string; written?: number } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.code = code
    this.errno = options.errno
    this.written = options.written
  }
}
