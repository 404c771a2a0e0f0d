import { z } from 'zod'
import { httpUrl, settingsIn, wholeNumber } from './setting.ts'

export const observabilitySettings = settingsIn('Logs and traces', {
  OTEL_EXPORTER_OTLP_ENDPOINT: httpUrl('http://127.0.0.1:4318')
    .optional()
    .describe('Base address of an OpenTelemetry receiver over HTTP, e.g. http://127.0.0.1:4318; no traces when absent.'),
  OTEL_EXPORTER_OTLP_HEADERS: z
    .string()
    .regex(/^[^=,]+=[^,]*(,[^=,]+=[^,]*)*$/, { error: 'must be name=value, several with commas' })
    .optional()
    .describe('Headers for that receiver, as name=value,name=value.'),
  OTEL_TRACES_SAMPLER_ARG: z.coerce
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe('Share of the traces to keep, from 0 to 1. The decision in a traceparent header takes precedence.'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Lowest level that is logged.'),
  LOG_MIB_MAX: wholeNumber(8, 1_048_576)
    .default(256)
    .describe(
      'Total size of the logs of npm start. Each has an equal share, half of it for the lines before, in a file of its own (.1).',
    )
    .meta({ unit: 'MiB' }),
})
