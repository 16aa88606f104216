import { acquireLock } from './lock.ts'
import { type LabState, requireState, saveState } from './state.ts'

/**
 * Reads the state, changes it and writes it, with nobody else in between; `change` may write it ahead of what
 * it does. The state is written also when `change` throws: it holds what was begun.
 */
export async function changeState<T>(
  lab: string,
  what: string,
  change: (state: LabState) => Promise<T>,
): Promise<T> {
  await using _lock = await acquireLock(lab, 'fabric', what)
  const state = requireState(lab)
  try {
    return await change(state)
  } finally {
    saveState(state)
  }
}
