export * from './errors.ts'
export * from './view.ts'
