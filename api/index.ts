export * from './errors.ts'
export * from './ip.ts'
export * from './local-endpoints.ts'
export * from './view.ts'
