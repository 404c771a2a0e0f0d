import {
  type HandlerDescriptor,
  implement,
  type ObjectDescriptor,
  type ObjectImplHandlers,
  type ObjectOptions,
  type ServiceDescriptor,
  type ServiceImplHandlers,
  type ServiceOptions,
} from '@restatedev/restate-sdk'
import type { HandlerOptions } from './handler-options.ts'

/** Each handler with its options. */
type WithOptions<Handlers> = { [Name in keyof Handlers]: readonly [HandlerOptions, Handlers[Name]] }

/**
 * A service from its contract. The SDK takes the options of handlers as a second list, in which a forgotten handler is public and
 * keeps its journal for a day. Here a handler without options does not compile.
 */
export function serviceOf<Name extends string, Handlers extends Record<string, HandlerDescriptor>>(
  api: ServiceDescriptor<Name, Handlers>,
  options: ServiceOptions,
  handlers: WithOptions<ServiceImplHandlers<NoInfer<Handlers>>>,
) {
  return implement(api, { handlers: functionsOf(handlers), options: { ...options, handlers: optionsOf(handlers) } })
}

/** The same for a virtual object. */
export function objectOf<Name extends string, Handlers extends Record<string, HandlerDescriptor>>(
  api: ObjectDescriptor<Name, Handlers>,
  options: ObjectOptions,
  handlers: WithOptions<ObjectImplHandlers<NoInfer<Handlers>>>,
) {
  return implement(api, { handlers: functionsOf(handlers), options: { ...options, handlers: optionsOf(handlers) } })
}

function functionsOf<Handlers>(handlers: WithOptions<Handlers>): Handlers {
  const entries = Object.entries<readonly [HandlerOptions, unknown]>(handlers)
  return Object.fromEntries(entries.map(([name, [, handler]]) => [name, handler])) as Handlers
}

function optionsOf<Handlers>(handlers: WithOptions<Handlers>) {
  const entries = Object.entries<readonly [HandlerOptions, unknown]>(handlers)
  return Object.fromEntries(entries.map(([name, [options]]) => [name, options])) as Record<keyof Handlers, HandlerOptions>
}
