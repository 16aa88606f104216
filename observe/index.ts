/** Health, metrics and Events of an agent. */
export type { EventInput, EventRecorder, EventReference } from './events/event-recorder.ts'
