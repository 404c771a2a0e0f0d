import {
  type Context,
  type HandlerDescriptor,
  implement,
  type ObjectDescriptor,
  type ObjectImplHandlers,
  type ObjectOptions,
  type ServiceDescriptor,
  type ServiceImplHandlers,
  type ServiceOptions,
} from '@restatedev/restate-sdk'
import { isForOperators } from '../../src/contract/handler.ts'
import { proofOf, TRACED_SECONDS } from '../../src/contract/recorded-call.ts'
import { refuseForeignPage, requireOperator } from './check-caller.ts'
import type { Deps } from './deps.ts'
import type { HandlerOptions } from './handler-options.ts'

/** What the checks of callers need. */
type Access = Pick<Deps, 'operatorTokens'>

/** What the options of handlers need. */
type Settings = Access & Pick<Deps, 'journalMinutes'>

/** Each handler with its options. */
type WithOptions<Handlers> = { [Name in keyof Handlers]: readonly [HandlerOptions, Handlers[Name]] }

/**
 * A service from its contract. The SDK takes the options of handlers as a second list, in which a forgotten handler is public and
 * keeps its journal for a day. Here a handler without options does not compile, and a public handler checks its callers.
 */
export function serviceOf<Name extends string, Handlers extends Record<string, HandlerDescriptor>>(
  api: ServiceDescriptor<Name, Handlers>,
  settings: Settings,
  options: ServiceOptions,
  handlers: WithOptions<ServiceImplHandlers<NoInfer<Handlers>>>,
) {
  const handlerOptions = optionsOf(api.name, settings, handlers)
  return implement(api, { handlers: functionsOf(api, settings, handlers), options: { ...options, handlers: handlerOptions } })
}

/** The same for a virtual object. */
export function objectOf<Name extends string, Handlers extends Record<string, HandlerDescriptor>>(
  api: ObjectDescriptor<Name, Handlers>,
  settings: Settings,
  options: ObjectOptions,
  handlers: WithOptions<ObjectImplHandlers<NoInfer<Handlers>>>,
) {
  const handlerOptions = optionsOf(api.name, settings, handlers)
  return implement(api, { handlers: functionsOf(api, settings, handlers), options: { ...options, handlers: handlerOptions } })
}

/** What the SDK calls. The types of contexts and inputs are those of each handler's descriptor. */
type Handle = (ctx: Context, input: unknown) => Promise<unknown>

function functionsOf<Handlers>(
  { _handlers }: { _handlers: Record<string, HandlerDescriptor> },
  access: Access,
  handlers: WithOptions<Handlers>,
): Handlers {
  const entries = Object.entries<readonly [HandlerOptions, unknown]>(handlers)
  const functions = entries.map(([name, [{ ingressPrivate }, handle]]) => [
    name,
    ingressPrivate ? handle : checked(handle as Handle, isForOperators(_handlers[name]!) ? access.operatorTokens : []),
  ])
  return Object.fromEntries(functions) as Handlers
}

/** A public handler, which the ingress offers to every program and page that reaches it. */
function checked(handle: Handle, tokens: readonly string[]): Handle {
  return async (ctx, input) => {
    refuseForeignPage(ctx)
    requireOperator(ctx, tokens)
    return handle(ctx, input)
  }
}

function optionsOf<Handlers>(service: string, { journalMinutes }: Settings, handlers: WithOptions<Handlers>) {
  const entries = Object.entries<readonly [HandlerOptions, unknown]>(handlers)
  const options = entries.map(([name, [given]]) => [name, proofOf(service, name) ? withProof(given, journalMinutes) : given])
  return Object.fromEntries(options) as Record<keyof Handlers, HandlerOptions>
}

/** The options of a handler whose calls leave a proof in PostgreSQL: Restate keeps them so that they are found there, or brought back. */
function withProof(options: HandlerOptions, journalMinutes: number): HandlerOptions {
  return {
    ...options,
    idempotencyRetention: { ...(options.idempotencyRetention as object), seconds: TRACED_SECONDS },
    journalRetention: journalMinutes === 0 ? 0 : { minutes: journalMinutes, seconds: TRACED_SECONDS },
  }
}
