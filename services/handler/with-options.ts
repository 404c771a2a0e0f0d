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
import { refuseForeignPage, requireOperator } from './check-caller.ts'
import type { Deps } from './deps.ts'
import type { HandlerOptions } from './handler-options.ts'

/** What the checks of callers need. */
type Access = Pick<Deps, 'operatorTokens'>

/** Each handler with its options. */
type WithOptions<Handlers> = { [Name in keyof Handlers]: readonly [HandlerOptions, Handlers[Name]] }

/**
 * A service from its contract. The SDK takes the options of handlers as a second list, in which a forgotten handler is public and
 * keeps its journal for a day. Here a handler without options does not compile, and a public handler checks its callers.
 */
export function serviceOf<Name extends string, Handlers extends Record<string, HandlerDescriptor>>(
  api: ServiceDescriptor<Name, Handlers>,
  access: Access,
  options: ServiceOptions,
  handlers: WithOptions<ServiceImplHandlers<NoInfer<Handlers>>>,
) {
  return implement(api, { handlers: functionsOf(api, access, handlers), options: { ...options, handlers: optionsOf(handlers) } })
}

/** The same for a virtual object. */
export function objectOf<Name extends string, Handlers extends Record<string, HandlerDescriptor>>(
  api: ObjectDescriptor<Name, Handlers>,
  access: Access,
  options: ObjectOptions,
  handlers: WithOptions<ObjectImplHandlers<NoInfer<Handlers>>>,
) {
  return implement(api, { handlers: functionsOf(api, access, handlers), options: { ...options, handlers: optionsOf(handlers) } })
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

function optionsOf<Handlers>(handlers: WithOptions<Handlers>) {
  const entries = Object.entries<readonly [HandlerOptions, unknown]>(handlers)
  return Object.fromEntries(entries.map(([name, [options]]) => [name, options])) as Record<keyof Handlers, HandlerOptions>
}
