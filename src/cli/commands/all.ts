import type { Command } from 'commander'

/** Every command, in the order of the help. Each is loaded when it is called, because loading all of them takes 0.2 s longer. */
export const COMMANDS: Record<string, () => Promise<Command>> = {
  start: async () => (await import('./start.ts')).startCommand(),
  endpoint: async () => (await import('./processes.ts')).endpointCommand(),
  gateway: async () => (await import('./processes.ts')).gatewayCommand(),
  guard: async () => (await import('./guard.ts')).guardCommand(),
  register: async () => (await import('./register.ts')).registerCommand(),
  migrate: async () => (await import('./migrate.ts')).migrateCommand(),
  import: async () => (await import('./import.ts')).importCommand(),
  demo: async () => (await import('./demo.ts')).demoCommand(),
  key: async () => (await import('./key.ts')).keyCommand(),
  top: async () => (await import('./top.ts')).topCommand(),
  sign: async () => (await import('./sign.ts')).signCommand(),
  seller: async () => (await import('./seller.ts')).sellerCommand(),
  context: async () => (await import('./context.ts')).contextCommand(),
  merge: async () => (await import('./merge.ts')).mergeCommand(),
  export: async () => (await import('./export.ts')).exportCommand(),
  erase: async () => (await import('./erase.ts')).eraseCommand(),
  backlog: async () => (await import('./backlog.ts')).backlogCommand(),
  rejected: async () => (await import('./rejected.ts')).rejectedCommand(),
  schedules: async () => (await import('./schedules.ts')).schedulesCommand(),
  verify: async () => (await import('./verify.ts')).verifyCommand(),
  seed: async () => (await import('./seed.ts')).seedCommand(),
  source: async () => (await import('./source.ts')).sourceCommand(),
  recompute: async () => (await import('./recompute.ts')).recomputeCommand(),
  rescore: async () => (await import('./rescore.ts')).rescoreCommand(),
}
