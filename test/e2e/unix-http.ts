import { type Call, callText } from '@kpng/lab'

/** For answers that wait for a whole cluster to be in the kernel. */
const timeoutMs = 120_000

const call = (socketPath: string, method: Call['method'], path: string): Promise<string> =>
  callText({ socketPath, method, path, timeoutMs })

/** Calls an agent's unix socket; gives the body. Throws for any status but 200. */
export const getText = (socketPath: string, path: string): Promise<string> => call(socketPath, 'GET', path)

export const postJson = async (socketPath: string, path: string): Promise<unknown> =>
  JSON.parse(await call(socketPath, 'POST', path))
