export * from './map.ts'
