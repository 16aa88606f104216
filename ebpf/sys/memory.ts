import koffi from 'koffi'

/** Where the bytes are. Valid as long as the array is reachable: array buffers do not move. */
export const addressOf = (bytes: Uint8Array): number => Number(koffi.address(bytes))

/** A NUL-terminated string for the kernel. */
export const cString = (text: string): Uint8Array => new TextEncoder().encode(`${text}\0`)

/** Bytes up to the first NUL as text. */
export const textOf = (bytes: Uint8Array): string => {
  const end = bytes.indexOf(0)
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end))
}

/** Bytes at an address that another library owns: shared, and valid for as long as it keeps them. */
export const bytesAt = (address: number | bigint, length: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(koffi.view(address, length))
