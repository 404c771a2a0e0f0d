import { commandsPage } from './commands.ts'
import { configurationPage } from './configuration.ts'
import { eventTypesPage } from './event-types.ts'
import { handlersPage } from './handlers.ts'
import { metricsPage } from './metrics.ts'
import { tasksPage } from './tasks.ts'

/** Every page of docs/ that is made from the code, as Markdown that is not yet formatted. */
export const PAGES: readonly { file: string; render: () => string | Promise<string> }[] = [
  { file: 'commands.md', render: commandsPage },
  { file: 'configuration.md', render: configurationPage },
  { file: 'event-types.md', render: eventTypesPage },
  { file: 'handlers.md', render: handlersPage },
  { file: 'metrics.md', render: metricsPage },
  { file: 'tasks.md', render: tasksPage },
]
