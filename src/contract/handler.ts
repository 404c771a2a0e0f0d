import { type HandlerDescriptor, iface } from '@restatedev/restate-sdk-core'
import { z } from 'zod'
import { readAs } from './fields/read-as.ts'
import { pathOf, plainMessage } from './fields/zod-messages.ts'

interface Described<Input extends z.ZodType, Output extends z.ZodType> {
  input: Input
  /** None for a handler that answers nothing. */
  output?: Output
  description: string
  /** Where an operator token is configured, the handler takes only calls with it. */
  isForOperators?: boolean
}

/** The header of the operator token. */
export const OPERATOR_TOKEN_HEADER = 'footfall-operator-token'

const FOR_OPERATORS = { access: 'operators' }

/** The input of a handler that needs none. */
export const Nothing = z.strictObject({})

/** The descriptor of a handler, whose callers are told in plain words what is wrong with their input. */
export function handler<Input extends z.ZodType, Output extends z.ZodType>(described: Described<Input, Output>) {
  return iface.schemas(asDeclared(described))
}

/** The same for a handler that reads the state of a virtual object, and runs at the same time as handlers that write it. */
export function sharedHandler<Input extends z.ZodType, Output extends z.ZodType>(described: Described<Input, Output>) {
  return iface.shared.schemas(asDeclared(described))
}

/** The same handlers with other descriptions, for another service. */
export function redescribed<Handlers extends Record<string, HandlerDescriptor>>(
  handlers: Handlers,
  descriptionOf: (name: string) => string,
): Handlers {
  const entries = Object.entries(handlers).map(([name, each]) => [name, { ...each, _description: descriptionOf(name) }])
  return Object.fromEntries(entries) as Handlers
}

/** Whether a handler takes only calls with the operator token, where one is configured. */
export function isForOperators({ _metadata }: Pick<HandlerDescriptor, '_metadata'>): boolean {
  return _metadata?.['access'] === FOR_OPERATORS.access
}

function asDeclared<Input extends z.ZodType, Output extends z.ZodType>({
  isForOperators = false,
  ...described
}: Described<Input, Output>) {
  return { ...described, input: withPlainMessages(described.input), ...(isForOperators && { metadata: FOR_OPERATORS }) }
}

/** The schema as Restate's SDK validates with it, which takes no options for messages, and no other form of a value. */
function withPlainMessages<Schema extends z.ZodType>(schema: Schema): Pick<Schema, '~standard'> {
  const validate = (value: unknown) => {
    const { data, error } = schema.safeParse(readAs(schema, value), { error: plainMessage })
    if (error === undefined) return { value: data }
    return { issues: error.issues.map((issue) => ({ message: issue.message, path: pathOf(issue) })) }
  }
  return { '~standard': { ...schema['~standard'], validate } }
}
