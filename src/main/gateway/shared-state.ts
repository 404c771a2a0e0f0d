import { DecidedError } from '../../contract/decided-error.ts'
import { type AccessBudgets, budgetsBy, createBudgets, type BudgetName } from '../../gateway/access/budgets.ts'
import { createLeasedBudgets } from '../../gateway/access/leased-budgets.ts'
import type { LiveEvents } from '../../external/live-events.ts'
import { createProcessEvents } from '../../external/process-events.ts'
import type { Config } from '../config/config.ts'
import { liveEventStoreOf } from '../config/live-events.ts'
import { contextSettingsOf } from '../config/shoppers.ts'
import { watchLiveEvents } from '../metrics/live-events.ts'
import { metricsOfAll } from '../metrics/processes.ts'
import type { Registry } from '../metrics/registry.ts'
import { answerWorkers, createAsk } from '../processes/worker-calls.ts'

/** What the processes of a gateway share. */
export interface SharedState {
  budgets: AccessBudgets
  /** The live events in memory. They are not used where SHOPPER_STORE is a Redis. */
  live: () => LiveEvents
  /** The metrics of all processes. */
  metrics: () => Promise<string>
}

/** The state of a gateway that is one process. */
export function ownState(config: Config, registry: Registry): SharedState {
  return {
    budgets: budgetsBy(() => createBudgets()),
    live: () => watchedEvents(config, registry),
    metrics: () => registry.metrics(),
  }
}

function watchedEvents(config: Config, registry: Registry): LiveEvents {
  const { shoppersMax, bytesMax } = liveEventStoreOf(config) as { shoppersMax: number; bytesMax: number }
  const events = createProcessEvents({ shoppersMax, bytesMax, idleMs: contextSettingsOf(config).idleMs })
  watchLiveEvents(registry, events)
  return events
}

/** Keeps the state in this process, for the processes that it has started. */
export function keepSharedState(config: Config, registry: Registry): void {
  answerWorkers(answersOf(config, registry))
}

type SharedAnswers = ReturnType<typeof answersOf>

function answersOf(config: Config, registry: Registry) {
  const budgets = budgetsBy(() => createBudgets())
  const live = 'url' in liveEventStoreOf(config) ? undefined : watchedEvents(config, registry)
  const all = metricsOfAll(registry)
  return {
    take: (name: BudgetName, id: string, amount: number, max: number, wished?: number) =>
      budgets[name].take(id, amount, max, wished),
    giveBack: (name: BudgetName, id: string, amount: number) => budgets[name].giveBack(id, amount),
    keep: (...event: Parameters<LiveEvents['keep']>) => live?.keep(...event),
    describe: (...event: Parameters<LiveEvents['describe']>) => live?.describe(...event),
    read: (shopperIds: readonly string[]) => live?.read(shopperIds),
    merged: (sessionId: string, accountId: string) => live?.merged(sessionId, accountId),
    forget: (shopperIds: readonly string[]) => live?.forget(shopperIds),
    metrics: () => all.metrics(),
  }
}

/** The state of a gateway's other processes, which the primary process keeps. */
export function stateOfPrimary(): SharedState {
  const ask = createAsk<SharedAnswers>()
  const nothing = () => undefined
  const refuse = (cause: unknown) => {
    throw new DecidedError('unavailable', 'the gateway is ending; send it again', { cause })
  }
  return {
    budgets: budgetsBy((name) =>
      createLeasedBudgets({
        take: (...input) => ask('take', name, ...input).catch(refuse),
        giveBack: (...input) => ask('giveBack', name, ...input),
      }),
    ),
    live: () => ({
      keep: (...event) => ask('keep', ...event).catch(nothing),
      describe: (...event) => ask('describe', ...event).catch(nothing),
      read: (shopperIds) => ask('read', shopperIds).catch(nothing),
      merged: (...ids) => ask('merged', ...ids).catch(nothing),
      forget: (shopperIds) =>
        ask('forget', shopperIds).then(
          (isDone) => isDone === true,
          () => false,
        ),
      stop: async () => undefined,
    }),
    metrics: () => ask('metrics'),
  }
}
