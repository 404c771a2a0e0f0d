/** What another TypeScript service needs to call Footfall: descriptors for a typed client, and the schemas behind them. */
export * from './error.ts'
export * from './event-id.ts'
export * from './interaction.ts'
export * from './popularity.ts'
export * from './services.ts'
export * from './text.ts'
export * from './time.ts'
export * from './verify.ts'
