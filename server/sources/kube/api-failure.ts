import { isRecord } from '../../objects/fields.ts'

/** Why a request to the API server came to nothing; what is done about it depends on nothing else. */
export type ApiFailureCode =
  | 'expired' // 410: the version asked for is no longer known, only a new list helps
  | 'unsupported' // 400, 405, 422, 501: the server does not know what was asked for
  | 'unauthorized' // 401
  | 'forbidden' // 403
  | 'absent' // 404: the server has no such API, or no such object
  | 'conflict' // 409: there is one already, or it has changed meanwhile
  | 'unavailable' // 429, 5xx and every other status
  | 'unreachable' // no answer: refused, reset, not resolved, bad certificate, unreadable credentials
  | 'broken' // an answer that cannot be read, or that was cut
  | 'silent' // nothing came in time

const BY_STATUS: ReadonlyMap<number, ApiFailureCode> = new Map([
  [400, 'unsupported'],
  [401, 'unauthorized'],
  [403, 'forbidden'],
  [404, 'absent'],
  [405, 'unsupported'],
  [409, 'conflict'],
  [410, 'expired'],
  [422, 'unsupported'],
  [501, 'unsupported'],
])

/** What went wrong, in a message that stays the same while it goes wrong. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure'
  readonly code: ApiFailureCode
  /** The server asked to be left alone for so long; 0 when it did not. */
  readonly retryAfterMs: number
  /** The HTTP status; 0 when there was none. */
  readonly status: number

  constructor(
    code: ApiFailureCode,
    message: string,
    options: { cause?: unknown; retryAfterMs?: number; status?: number } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.code = code
    this.retryAfterMs = options.retryAfterMs ?? 0
    this.status = options.status ?? 0
  }

  /** From an HTTP status and the metav1.Status in the body, if it is one. */
  static fromStatus(status: number, body: unknown, retryAfter: string | undefined): ApiFailure {
    return new ApiFailure(BY_STATUS.get(status) ?? 'unavailable', `${status} ${messageOf(body)}`.trim(), {
      retryAfterMs: retryAfterMs(retryAfter) || detailsRetryMs(body),
      status,
    })
  }

  /** From the object of an ERROR event: a metav1.Status. */
  static fromErrorEvent(object: unknown): ApiFailure {
    const code = isRecord(object) && typeof object.code === 'number' ? object.code : 500
    const reason = isRecord(object) ? object.reason : undefined
    const status = reason === 'Expired' || reason === 'Gone' ? 410 : code
    return ApiFailure.fromStatus(status, object, undefined)
  }

  static from(reason: unknown, code: ApiFailureCode): ApiFailure {
    if (reason instanceof ApiFailure) return reason
    return new ApiFailure(code, describe(reason), { cause: reason })
  }
}

function messageOf(status: unknown): string {
  return isRecord(status) && typeof status.message === 'string' ? status.message.slice(0, 500) : ''
}

/** Seconds, as Kubernetes sends it. The other form, a date, is left to the backoff. */
function retryAfterMs(header: string | undefined): number {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : 0
}

function detailsRetryMs(status: unknown): number {
  const details = isRecord(status) ? status.details : undefined
  const seconds = isRecord(details) ? details.retryAfterSeconds : undefined
  return typeof seconds === 'number' && seconds > 0 && seconds < 1e6 ? seconds * 1000 : 0
}

/** An AggregateError (several addresses tried) has no message of its own. */
function describe(reason: unknown): string {
  if (reason instanceof AggregateError && reason.errors.length > 0) return describe(reason.errors[0])
  return reason instanceof Error && reason.message !== '' ? reason.message : String(reason)
}
