import type { FastifySchemaCompiler } from 'fastify'
import type { z } from 'zod'
import { invalidRequest } from '../../admission/invalid-request.ts'
import { readAs } from '../../contract/fields/read-as.ts'
import { plainMessage } from '../../contract/fields/zod-messages.ts'

/** Checks the parts of a request against the schemas of its route. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema }) =>
  (value) => {
    // The bytes of a list are checked when its items are read.
    if (Buffer.isBuffer(value)) return { value }
    const { data, error } = schema.safeParse(readAs(schema, value), { error: plainMessage })
    return error === undefined ? { value: data } : { error: invalidRequest(error.issues) }
  }
