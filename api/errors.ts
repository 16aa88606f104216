/**
 * The closed set of things that can go wrong above the kernel edge. What goes wrong in the kernel is an
 * EbpfError of `@kpng/ebpf`, kept as `cause` here.
 */
export type KpngErrorCode =
  | 'usage' // the command line or configuration is wrong
  | 'bad-object' // an object that cannot be used at all
  | 'io' // a file, socket or directory could not be read or written
  | 'unsupported' // the kernel or the machine lacks something
  | 'conflict' // somebody else owns it: another instance, a foreign program
  | 'exhausted' // a bound was reached
  | 'not-found'
  | 'kernel' // a bpf(2) or netlink operation failed; see cause
  | 'internal'

/** The one error class of kpng: what failed, on which object, what to do; with `cause` where there is one. */
export class KpngError extends Error {
  override readonly name = 'KpngError'
  readonly code: KpngErrorCode

  constructor(code: KpngErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.code = code
  }

  /** Turns anything caught into a KpngError; one that already is comes back as it is. */
  static from(reason: unknown, code: KpngErrorCode = 'internal', prefix = ''): KpngError {
    if (reason instanceof KpngError && prefix === '') return reason
    const text = reason instanceof Error ? reason.message : String(reason)
    const inner = reason instanceof KpngError ? reason.code : code
    return new KpngError(inner, prefix === '' ? text : `${prefix}: ${text}`, { cause: reason })
  }
}
