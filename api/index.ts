export * from './errors.ts'
export * from './ip.ts'
export * from './view.ts'
